import Testing

@testable import Membership

@Suite("Numbers of pings")
struct SequenceNumberTests {
    /// From an independent implementation that gives the reference implementation's vectors.
    @Test("They are the first four bytes of SipHash-2-4-128 of 1, 2, 3 and so on")
    func numbers() {
        var sequences = SequenceNumbers(key: 7)
        #expect((0..<3).map { _ in sequences.next() } == [0x79e437dc, 0x38eefc84, 0x7fc9cab5])
    }
}
