#ifndef CSOCKETS_H
#define CSOCKETS_H

#include <stdint.h>

/// What Swift cannot reach through Glibc: recvmmsg, sendmmsg, accept4 and eventfd (they need _GNU_SOURCE), and the casts between
/// the members of the sockaddr family. Nothing here keeps state, allocates or blocks, except cs_wait.

/// Most datagrams in one call of cs_receive or cs_send.
#define CS_BATCH 64

/// One datagram. `host` is in network order, four bytes of it count for IPv4; `port` is in host order.
typedef struct cs_datagram {
    void *data;
    uint32_t length;
    uint8_t host[16];
    uint8_t host_length;
    uint8_t is_truncated;
    uint16_t port;
} cs_datagram;

/// Opens and binds a non-blocking UDP socket. `port` 0 lets the system choose; `*bound_port` is what it chose. Asks for
/// `receive_bytes` of receive buffer, by force where the process may. Returns the descriptor or -errno.
int cs_bind_datagram(const uint8_t *host, uint8_t host_length, uint16_t port, int receive_bytes, uint16_t *bound_port);

/// Opens, binds and listens on a non-blocking TCP socket with SO_REUSEADDR; `receive_bytes` is the receive buffer of what
/// it accepts. Listening at once makes a second listener
/// fail: two sockets with SO_REUSEADDR may both bind while neither listens. Returns the descriptor or -errno.
int cs_listen_stream(const uint8_t *host, uint8_t host_length, uint16_t port, int receive_bytes, uint16_t *bound_port);

/// Receives what is there, at most `count` datagrams, without waiting. Every `data` has room for `capacity` bytes;
/// `length` is what was received. Returns how many, or -errno.
int cs_receive(int descriptor, cs_datagram *datagrams, unsigned count, uint32_t capacity);

/// Sends `count` datagrams without waiting. `as_v6` says that the socket is an IPv6 one, so that IPv4 destinations are
/// mapped. Returns how many were sent; when the first one fails, -errno.
int cs_send(int descriptor, const cs_datagram *datagrams, unsigned count, int as_v6);

/// A non-blocking eventfd, or -errno.
int cs_event(void);

/// Waits until `descriptor` is readable (or writable too, where `wants_write`), until `event` is signalled, or for
/// `timeout_ns` nanoseconds (negative: for ever). Returns bits: 1 readable, 2 writable, 4 error on the socket, 8 event;
/// or -errno.
int cs_wait(int descriptor, int event, int wants_write, int64_t timeout_ns);

/// One descriptor that has something to say: the tag it was added with, and bits 1 readable, 2 writable, 4 error.
typedef struct cs_ready {
    uint64_t tag;
    int bits;
} cs_ready;

/// An epoll descriptor, or -errno.
int cs_poller(void);

/// Adds `descriptor` to a poller, level-triggered: waits until it is readable, and writable too where `wants_write`.
/// Returns 0 or -errno.
int cs_poller_add(int poller, int descriptor, uint64_t tag, int wants_write);

/// Changes what is waited for. Returns 0 or -errno.
int cs_poller_change(int poller, int descriptor, uint64_t tag, int wants_read, int wants_write);

/// Takes `descriptor` out, which must still be open.
void cs_poller_remove(int poller, int descriptor);

/// Waits for `timeout_ns` nanoseconds at most (negative: for ever). Returns how many of `ready` were filled, or -errno.
int cs_poller_wait(int poller, cs_ready *ready, int capacity, int64_t timeout_ns);

/// Begins to connect a non-blocking TCP socket, from the host `from` where its length is not 0. Returns the descriptor or
/// -errno.
int cs_connect_stream(const uint8_t *host, uint8_t host_length, uint16_t port, const uint8_t *from, uint8_t from_length);

/// Accepts one connection that waits, non-blocking and without delay for small writes. Returns the descriptor or -errno;
/// -EAGAIN when none waits.
int cs_accept_stream(int listener);

/// Has small writes go out at once.
void cs_set_no_delay(int descriptor);

/// Breaks a TCP connection on which sent bytes stay unacknowledged for so long (TCP_USER_TIMEOUT), or the peer's window shut.
void cs_limit_unacknowledged(int descriptor, unsigned milliseconds);

/// The address of the other side of a TCP connection. Returns the length of the host, 0 when there is none.
int cs_peer_address(int descriptor, uint8_t *host, uint16_t *port);

/// The address of the own side of a TCP connection. Returns the length of the host, 0 when there is none.
int cs_own_address(int descriptor, uint8_t *host, uint16_t *port);

/// The port that this side of a connection has; 0 when the descriptor is no socket with one.
uint16_t cs_own_port(int descriptor);

/// Takes the pending error of a socket, so that it is not reported again.
int cs_take_error(int descriptor);

#endif
