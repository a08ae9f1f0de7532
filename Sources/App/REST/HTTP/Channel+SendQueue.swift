internal import Glibc
internal import NIOCore

extension Channel {
    /// Has the system take no more than it can send soon. Else it takes megabytes, and then nothing until a third of them
    /// has gone, so that a client which reads slowly cannot be told from one that reads nothing. On the event loop.
    func keepSendQueueShort() {
        // What has no such option is no TCP socket.
        let option = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_NOTSENT_LOWAT))
        try? syncOptions?.setOption(option, value: 64 << 10)
    }
}
