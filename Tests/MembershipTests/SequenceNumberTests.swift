import Testing

@testable import Membership

@Suite("Numbers of pings")
struct SequenceNumberTests {
    /// From an implementation that was checked against the vector in the paper's appendix.
    @Test("They are SipHash-2-4 of 1, 2, 3 and so on, the lower half")
    func numbers() {
        var sequences = SequenceNumbers(key: 7)
        #expect((0..<3).map { _ in sequences.next() } == [0x67c02272, 0x3eba0e6d, 0x647f37a2])
    }
}
