import Foundation
import Transport

/// Random bytes and messages with some bytes changed, as UDP packets and on TCP connections to the same ports.
final class UDPAttacker: Attacker {
    private(set) var sentCount = 0
    private var rubbish: Rubbish
    private let ports: [Int]
    private let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)

    init(ports: [Int], _ nodeIDs: [NodeID]) {
        self.ports = ports
        rubbish = Rubbish(nodeIDs)
    }

    func attack() {
        for _ in 0..<500 {
            let bytes = rubbish.message()
            let port = ports[rubbish.number(ports.indices)]
            let sent = Loopback.with(port) { address, length in
                sendto(datagrams, bytes, bytes.count, 0, address, length)
            }
            if sent > 0 { sentCount += 1 }
        }
        // Goes away without a word.
        for _ in 0..<5 {
            guard let connection = Loopback.connect(ports[rubbish.number(ports.indices)]) else { continue }
            let bytes = rubbish.message()
            _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            close(connection)
        }
    }

    deinit { close(datagrams) }
}
