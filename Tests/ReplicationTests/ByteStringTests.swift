import Testing
import Transport

@testable import Replication

@Suite struct ByteStringTests {
    /// Strings that share long beginnings, so that most pairs differ late, and some by a normalisation only.
    private static let samples: [ByteString] = {
        var generator = SeededGenerator(seed: 5)
        let pieces = ["", "a", "b", "\0", "é", "e\u{301}", "ÿ", "日", "👩‍👩‍👧", "same beginning ", "same beginnin"]
        return (0..<120).map { _ in
            let count = Int.random(in: 0...6, using: &generator)
            let indices = (0..<count).map { _ in Int.random(in: 0..<pieces.count, using: &generator) }
            return ByteString(indices.map { pieces[$0] }.joined())
        }
    }()

    @Test func comparesByBytesAlone() {
        for left in Self.samples {
            for right in Self.samples {
                let (leftBytes, rightBytes) = (Array(left.utf8), Array(right.utf8))
                #expect((left == right) == (leftBytes == rightBytes), "\(left), \(right)")
                #expect((left < right) == leftBytes.lexicographicallyPrecedes(rightBytes), "\(left), \(right)")
                #expect(left != right || left.hashValue == right.hashValue)
            }
        }
        #expect(ByteString("é") != ByteString("e\u{301}"))
    }
}
