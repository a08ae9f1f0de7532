#define _GNU_SOURCE
#include "CSockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static socklen_t fill_address(struct sockaddr_storage *storage, const uint8_t *host, uint8_t host_length,
                              uint16_t port, int as_v6) {
    memset(storage, 0, sizeof *storage);
    if (host_length == 4 && !as_v6) {
        struct sockaddr_in *address = (struct sockaddr_in *)storage;
        address->sin_family = AF_INET;
        address->sin_port = htons(port);
        memcpy(&address->sin_addr, host, 4);
        return sizeof *address;
    }
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)storage;
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(port);
    if (host_length == 4) {
        address->sin6_addr.s6_addr[10] = 0xff;
        address->sin6_addr.s6_addr[11] = 0xff;
        memcpy(&address->sin6_addr.s6_addr[12], host, 4);
    } else {
        memcpy(&address->sin6_addr, host, 16);
    }
    return sizeof *address;
}

static int is_unspecified(const uint8_t *host, uint8_t host_length) {
    for (uint8_t index = 0; index < host_length; index++)
        if (host[index] != 0) return 0;
    return 1;
}

static int close_with(int descriptor, int error) {
    close(descriptor);
    return -error;
}

/// Common to both kinds: open, options, bind, and the port that came out.
static int open_and_bind(int type, const uint8_t *host, uint8_t host_length, uint16_t port, int receive_bytes,
                         uint16_t *bound_port) {
    int is_v6 = host_length == 16;
    int descriptor = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int on = 1, off = 0;
    if (is_v6 && is_unspecified(host, host_length))
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (type == SOCK_STREAM) {
        if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return close_with(descriptor, errno);
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    } else if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes) != 0) {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    struct sockaddr_storage storage;
    socklen_t length = fill_address(&storage, host, host_length, port, is_v6);
    if (bind(descriptor, (struct sockaddr *)&storage, length) != 0) return close_with(descriptor, errno);
    length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return close_with(descriptor, errno);
    *bound_port = ntohs(is_v6 ? ((struct sockaddr_in6 *)&storage)->sin6_port : ((struct sockaddr_in *)&storage)->sin_port);
    return descriptor;
}

int cs_bind_datagram(const uint8_t *host, uint8_t host_length, uint16_t port, int receive_bytes, uint16_t *bound_port) {
    return open_and_bind(SOCK_DGRAM, host, host_length, port, receive_bytes, bound_port);
}

int cs_listen_stream(const uint8_t *host, uint8_t host_length, uint16_t port, int receive_bytes, uint16_t *bound_port) {
    int descriptor = open_and_bind(SOCK_STREAM, host, host_length, port, receive_bytes, bound_port);
    if (descriptor < 0) return descriptor;
    if (listen(descriptor, 256) != 0) return close_with(descriptor, errno);
    return descriptor;
}

int cs_receive(int descriptor, cs_datagram *datagrams, unsigned count, uint32_t capacity) {
    struct mmsghdr headers[CS_BATCH];
    struct iovec vectors[CS_BATCH];
    struct sockaddr_storage addresses[CS_BATCH];
    if (count > CS_BATCH) count = CS_BATCH;
    memset(headers, 0, count * sizeof headers[0]);
    for (unsigned index = 0; index < count; index++) {
        vectors[index] = (struct iovec){.iov_base = datagrams[index].data, .iov_len = capacity};
        headers[index].msg_hdr.msg_iov = &vectors[index];
        headers[index].msg_hdr.msg_iovlen = 1;
        headers[index].msg_hdr.msg_name = &addresses[index];
        headers[index].msg_hdr.msg_namelen = sizeof addresses[index];
    }
    int received = recvmmsg(descriptor, headers, count, MSG_DONTWAIT, NULL);
    if (received < 0) return -errno;
    for (int index = 0; index < received; index++) {
        cs_datagram *datagram = &datagrams[index];
        datagram->length = headers[index].msg_len;
        datagram->is_truncated = (headers[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        if (addresses[index].ss_family == AF_INET6) {
            struct sockaddr_in6 *address = (struct sockaddr_in6 *)&addresses[index];
            memcpy(datagram->host, &address->sin6_addr, 16);
            datagram->host_length = 16;
            datagram->port = ntohs(address->sin6_port);
        } else {
            struct sockaddr_in *address = (struct sockaddr_in *)&addresses[index];
            memcpy(datagram->host, &address->sin_addr, 4);
            datagram->host_length = 4;
            datagram->port = ntohs(address->sin_port);
        }
    }
    return received;
}

int cs_send(int descriptor, const cs_datagram *datagrams, unsigned count, int as_v6) {
    struct mmsghdr headers[CS_BATCH];
    struct iovec vectors[CS_BATCH];
    struct sockaddr_storage addresses[CS_BATCH];
    if (count > CS_BATCH) count = CS_BATCH;
    memset(headers, 0, count * sizeof headers[0]);
    for (unsigned index = 0; index < count; index++) {
        const cs_datagram *datagram = &datagrams[index];
        vectors[index] = (struct iovec){.iov_base = datagram->data, .iov_len = datagram->length};
        headers[index].msg_hdr.msg_iov = &vectors[index];
        headers[index].msg_hdr.msg_iovlen = 1;
        headers[index].msg_hdr.msg_name = &addresses[index];
        headers[index].msg_hdr.msg_namelen =
            fill_address(&addresses[index], datagram->host, datagram->host_length, datagram->port, as_v6);
    }
    int sent = sendmmsg(descriptor, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int cs_event(void) {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int cs_wait(int descriptor, int event, int wants_write, int64_t timeout_ns) {
    struct pollfd polled[2] = {
        {.fd = descriptor, .events = POLLIN | (wants_write ? POLLOUT : 0)},
        {.fd = event, .events = POLLIN},
    };
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    int ready = ppoll(polled, 2, timeout_ns < 0 ? NULL : &timeout, NULL);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if ((polled[0].revents | polled[1].revents) & POLLNVAL) return -EBADF;
    return ((polled[0].revents & POLLIN) ? 1 : 0) | ((polled[0].revents & POLLOUT) ? 2 : 0) |
           ((polled[0].revents & (POLLERR | POLLHUP)) ? 4 : 0) | ((polled[1].revents & POLLIN) ? 8 : 0);
}

int cs_poller(void) {
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int cs_poller_add(int poller, int descriptor, uint64_t tag, int wants_write) {
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.u64 = tag};
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

int cs_poller_change(int poller, int descriptor, uint64_t tag, int wants_read, int wants_write) {
    struct epoll_event event = {.events = (wants_read ? EPOLLIN : 0) | (wants_write ? EPOLLOUT : 0), .data.u64 = tag};
    return epoll_ctl(poller, EPOLL_CTL_MOD, descriptor, &event) == 0 ? 0 : -errno;
}

void cs_poller_remove(int poller, int descriptor) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, NULL); }

int cs_poller_wait(int poller, cs_ready *ready, int capacity, int64_t timeout_ns) {
    struct epoll_event events[64];
    if (capacity > 64) capacity = 64;
    // epoll_wait counts milliseconds: rounded up, so that a deadline has passed when it returns.
    int64_t timeout_ms = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
    int count = epoll_wait(poller, events, capacity, timeout_ms > 3600000 ? 3600000 : (int)timeout_ms);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int index = 0; index < count; index++) {
        uint32_t bits = events[index].events;
        ready[index].tag = events[index].data.u64;
        ready[index].bits = ((bits & EPOLLIN) ? 1 : 0) | ((bits & EPOLLOUT) ? 2 : 0) |
                            ((bits & (EPOLLERR | EPOLLHUP)) ? 4 : 0);
    }
    return count;
}

int cs_connect_stream(const uint8_t *host, uint8_t host_length, uint16_t port, const uint8_t *from,
                      uint8_t from_length) {
    int descriptor = socket(host_length == 16 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    struct sockaddr_storage storage;
    socklen_t length;
    if (from_length != 0) {
        length = fill_address(&storage, from, from_length, 0, host_length == 16);
        if (bind(descriptor, (struct sockaddr *)&storage, length) != 0) return close_with(descriptor, errno);
    }
    length = fill_address(&storage, host, host_length, port, host_length == 16);
    if (connect(descriptor, (struct sockaddr *)&storage, length) != 0 && errno != EINPROGRESS)
        return close_with(descriptor, errno);
    return descriptor;
}

int cs_accept_stream(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    cs_set_no_delay(descriptor);
    return descriptor;
}

void cs_set_no_delay(int descriptor) {
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void cs_limit_unacknowledged(int descriptor, unsigned milliseconds) {
    setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

static int address_of(const struct sockaddr_storage *storage, uint8_t *host, uint16_t *port) {
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *address = (const struct sockaddr_in *)storage;
        memcpy(host, &address->sin_addr, 4);
        *port = ntohs(address->sin_port);
        return 4;
    }
    if (storage->ss_family != AF_INET6) return 0;
    const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)storage;
    memcpy(host, &address->sin6_addr, 16);
    *port = ntohs(address->sin6_port);
    return 16;
}

int cs_peer_address(int descriptor, uint8_t *host, uint16_t *port) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getpeername(descriptor, (struct sockaddr *)&storage, &length) != 0) return 0;
    return address_of(&storage, host, port);
}

int cs_own_address(int descriptor, uint8_t *host, uint16_t *port) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return 0;
    return address_of(&storage, host, port);
}

uint16_t cs_own_port(int descriptor) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return 0;
    if (storage.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&storage)->sin_port);
    if (storage.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    return 0;
}

int cs_take_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}
