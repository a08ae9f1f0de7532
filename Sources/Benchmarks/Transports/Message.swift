/// What is sent: the number of the run and of the message within it, four bytes each, and zeros.
enum Message {
    static let headerBytes = 8
    /// Of no run: for finding out who is reached.
    static let probe = make(run: 0, number: 0, bytes: 16)

    static func make(run: UInt32, number: UInt32, bytes: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            buffer.initialize(repeating: 0)
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: run, as: UInt32.self)
            raw.storeBytes(of: number, toByteOffset: 4, as: UInt32.self)
            count = bytes
        }
    }

    /// The number of a message of `run`; `nil` for one of another.
    static func number(_ message: [UInt8], run: UInt32) -> Int? {
        guard message.count >= headerBytes else { return nil }
        return message.withUnsafeBytes { bytes in
            bytes.loadUnaligned(as: UInt32.self) == run
                ? Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) : nil
        }
    }
}

/// Numbers of messages, each counted once.
struct NumberSet: Sendable {
    private var words: [UInt64] = []
    private(set) var count = 0

    mutating func insert(_ number: Int) {
        let (word, bit) = (number / 64, UInt64(1) << UInt64(number % 64))
        if word >= words.count { words += [UInt64](repeating: 0, count: max(word + 1 - words.count, words.count)) }
        guard words[word] & bit == 0 else { return }
        words[word] |= bit
        count += 1
    }

    /// How many numbers are in all of `sets`.
    static func commonCount(_ sets: [Self]) -> Int {
        guard var common = sets.first?.words else { return 0 }
        for set in sets.dropFirst() {
            common = zip(common, set.words).map { $0 & $1 }
        }
        return common.reduce(0) { $0 + $1.nonzeroBitCount }
    }
}
