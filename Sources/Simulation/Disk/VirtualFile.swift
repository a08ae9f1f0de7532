internal import Transport

/// A file of a simulated disk: what programs see of it, and what of that would be there after a power cut.
final class VirtualFile {
    /// A change that is not on the disk yet.
    private enum Change {
        case write(at: Int, [UInt8])
        case truncate(to: Int)
    }

    /// What the disk writes as a whole, or not at all.
    private static let sectorBytes = 512

    /// The page cache.
    private(set) var content: [UInt8]
    private var durable: [UInt8]
    private var pending: [Change] = []
    var locks = VirtualLocks()
    /// The shared memory that goes with it, while anybody has it.
    var memory: SharedMemory?

    /// Another one for each file that its disk has ever had.
    let number: UInt64

    /// All of `content` is on the disk.
    init(content: [UInt8] = [], number: UInt64 = 0) {
        self.content = content
        self.number = number
        durable = content
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        let change = Change.write(at: offset, Array(bytes))
        Self.apply(change, to: &content)
        pending.append(change)
    }

    func truncate(to size: Int) {
        guard size < content.count else { return }
        let change = Change.truncate(to: size)
        Self.apply(change, to: &content)
        pending.append(change)
    }

    /// All is on the disk.
    func sync() {
        for change in pending { Self.apply(change, to: &durable) }
        pending = []
    }

    /// The disk fails while it writes. What it did not write is not tried again, as on Linux
    /// (https://wiki.postgresql.org/wiki/Fsync_Errors).
    func failSync(_ generator: inout SeededGenerator) { settle(&generator) }

    /// What is on the disk is all there is. Of what was not, any sectors may have come there.
    func cutPower(_ generator: inout SeededGenerator) {
        settle(&generator)
        content = durable
        dropProcess()
    }

    /// The processes that had it open are gone.
    func dropProcess() {
        locks = VirtualLocks()
        memory = nil
    }

    /// One bit of the disk changes.
    func flipBit(_ bit: Int) {
        let (place, mask) = (bit / 8, UInt8(1) << UInt8(bit % 8))
        if place < content.count { content[place] ^= mask }
        if place < durable.count { durable[place] ^= mask }
    }

    private func settle(_ generator: inout SeededGenerator) {
        // Everything, nothing, or some of it.
        let share: Double = [0, 1, 0.2, 0.5, 0.9].randomElement(using: &generator) ?? 0
        func isKept() -> Bool { Double.random(in: 0..<1, using: &generator) < share }
        for change in pending {
            switch change {
            case .truncate: if isKept() { Self.apply(change, to: &durable) }
            case .write(let offset, let bytes):
                var start = offset
                while start < offset + bytes.count {
                    let end = min(offset + bytes.count, (start / Self.sectorBytes + 1) * Self.sectorBytes)
                    if isKept() {
                        Self.apply(.write(at: start, Array(bytes[(start - offset)..<(end - offset)])), to: &durable)
                    }
                    start = end
                }
            }
        }
        pending = []
    }

    private static func apply(_ change: Change, to content: inout [UInt8]) {
        switch change {
        case .truncate(let size): if size < content.count { content.removeLast(content.count - size) }
        case .write(let offset, let bytes):
            let end = offset + bytes.count
            if end > content.count { content.append(contentsOf: repeatElement(0, count: end - content.count)) }
            content.replaceSubrange(offset..<end, with: bytes)
        }
    }
}
