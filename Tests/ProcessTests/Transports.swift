@testable import App

/// The transports of this build: every test of a cluster runs once over each.
enum Transports {
    static let all = TransportRegistry.kinds

    /// Each with each other, both ways round.
    static var pairs: [[String]] {
        all.flatMap { first in all.filter { $0 != first }.map { [first, $0] } }
    }
}
