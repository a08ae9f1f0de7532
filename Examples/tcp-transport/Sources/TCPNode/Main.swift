import AutoClusterSync
import TransportTCP
import TransportUDP

@main
struct Main {
    /// The first is the default.
    static func main() async { await runProgram(transports: [.tcp, .udp]) }
}
