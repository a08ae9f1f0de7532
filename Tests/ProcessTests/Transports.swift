import TransportKit

@testable import Executable

/// The transports of this program: every test of a cluster runs once over each.
enum Transports {
    static let all = Main.transports.map(\.kind)

    /// Each with each other, both ways round.
    static var pairs: [[String]] {
        all.flatMap { first in all.filter { $0 != first }.map { [first, $0] } }
    }
}
