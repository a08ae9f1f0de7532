internal import AutoClusterSync
internal import TransportKit
internal import TransportUDP
internal import TransportZMQ

@main
struct Main {
    /// Every transport of this program, the default first. There is no other list of them.
    static let transports: [TransportPlugin] = [.udp, .zmq]

    static func main() async { await runProgram(transports: transports) }
}
