internal import Foundation
internal import Transport

/// What is wrong with a disk.
package struct DiskFaults: Sendable {
    /// No file grows.
    package var isFull = false
    /// Of each call.
    package var failedReads = 0.0
    package var failedWrites = 0.0
    package var failedSyncs = 0.0
    /// It says that all is written when nothing is.
    package var ignoresSync = false
    var areFailing: Bool { failedReads > 0 || failedWrites > 0 || failedSyncs > 0 }

    package init() {}
}

/// The disk of one machine, in memory. SQLite reaches it by its number, which is in the path of its files.
///
/// Belongs to the thread of its run.
package final class VirtualDisk {
    private static let lock = NSLock()
    private nonisolated(unsafe) static var lastNumber = 0
    /// Under `lock`.
    private nonisolated(unsafe) static var disks: [Int: Unowned] = [:]

    private struct Unowned { unowned let disk: VirtualDisk }

    private let number: Int
    private var files: [String: VirtualFile] = [:]
    /// Files that there ever were.
    private var madeCount: UInt64 = 0
    /// The names as they are after a power cut.
    private var durableFiles: [String: VirtualFile] = [:]
    /// Processes so far that used it: a handle of an earlier one does nothing.
    private(set) var process = 0
    /// Whether a process has the database.
    private(set) var isInUse = false
    /// Changes until the process dies in the middle of what it does.
    private var changesLeft: Int?
    private var isUndisturbed = false
    private var generator: SeededGenerator
    package var faults = DiskFaults()

    package init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        number = Self.lock.withLock {
            Self.lastNumber += 1
            return Self.lastNumber
        }
        Self.lock.withLock { Self.disks[number] = Unowned(disk: self) }
    }

    deinit { Self.lock.withLock { Self.disks[number] = nil } }

    /// Where the database is.
    package var path: String { "/disk-\(number)/todos.db" }

    /// A text that names paths, without the numbers of disks, which count those of all runs of the process.
    static func unnumbered(_ text: String) -> String {
        let parts = text.components(separatedBy: "/disk-")
        return parts.dropFirst().reduce(parts[0]) { $0 + "/disk" + $1.drop { $0.isASCII && $0.isNumber } }
    }

    /// The disk of a path.
    static func find(_ path: String) -> VirtualDisk? {
        guard path.hasPrefix("/disk-"), let number = Int(path.dropFirst(6).prefix { $0 != "/" }) else { return nil }
        return lock.withLock { disks[number]?.disk }
    }

    /// Another disk with the same files, all written.
    package func copy(seed: UInt64) -> VirtualDisk {
        let copy = VirtualDisk(seed: seed)
        for (name, file) in files { _ = copy.make(copy.rename(name, from: self), content: file.content) }
        copy.durableFiles = copy.files
        return copy
    }

    private func rename(_ name: String, from other: VirtualDisk) -> String {
        "/disk-\(number)" + name.dropFirst("/disk-\(other.number)".count)
    }

    // MARK: Faults

    /// The process dies: its handles do nothing from now on. What it has written stays, in the page cache.
    package func endProcess() {
        process += 1
        (isInUse, changesLeft) = (false, nil)
        for file in files.values { file.dropProcess() }
    }

    /// The process dies when it has changed that many things more, such as in the middle of a commit.
    package func endProcess(after changes: Int) {
        changesLeft = changes
        if changes == 0 { endProcess() }
    }

    /// The machine is without power: what is not on the disk is gone, or is not.
    package func cutPower() {
        endProcess()
        for name in Set(files.keys).union(durableFiles.keys).sorted() where files[name] !== durableFiles[name] {
            if chance(0.5) { files[name] = durableFiles[name] }
        }
        durableFiles = files
        for name in files.keys.sorted() { files[name]?.cutPower(&generator) }
    }

    /// One bit of what is stored changes. `false` where nothing is.
    package func flipBit() -> Bool {
        let sizes = files.keys.sorted().compactMap { name in files[name].map { (file: $0, size: $0.content.count) } }
        let total = sizes.reduce(0) { $0 + $1.size }
        guard total > 0 else { return false }
        var place = Int.random(in: 0..<total, using: &generator)
        for (file, size) in sizes {
            if place < size {
                file.flipBit(place * 8 + Int.random(in: 0..<8, using: &generator))
                return true
            }
            place -= size
        }
        return false
    }

    /// The last bit of these bytes changes, where the file of the database has them; `false` where it has not.
    func flipLastBit(of bytes: [UInt8]) -> Bool {
        guard let file = files[path], let end = file.content.firstRange(of: bytes)?.upperBound, end > 0 else {
            return false
        }
        file.flipBit((end - 1) * 8)
        return true
    }

    /// Runs `body` without accidents: for those who look and are not part of the world.
    func undisturbed<Value>(_ body: () -> Value) -> Value {
        let before = isUndisturbed
        isUndisturbed = true
        defer { isUndisturbed = before }
        return body()
    }

    /// Whether an accident of this rate happens now.
    func chance(_ rate: Double) -> Bool {
        rate > 0 && !isUndisturbed && Double.random(in: 0..<1, using: &generator) < rate
    }

    /// Something is changed now.
    func noteChange() {
        guard let left = changesLeft else { return }
        changesLeft = left - 1
        if left <= 1 { endProcess() }
    }

    // MARK: Files

    func file(_ name: String) -> VirtualFile? { files[name] }

    /// `content`: what is on the disk of it from the first moment.
    func make(_ name: String, content: [UInt8] = []) -> VirtualFile {
        madeCount += 1
        let file = VirtualFile(content: content, number: madeCount)
        files[name] = file
        return file
    }

    /// `false` where there is none.
    func remove(_ name: String, isDurable: Bool) -> Bool {
        guard files.removeValue(forKey: name) != nil else { return false }
        if isDurable { durableFiles = files }
        return true
    }

    /// All of a file is written, and with it, as the journal of a file system has it, all that names were changed before.
    func sync(_ file: VirtualFile) -> Bool {
        guard !faults.ignoresSync else { return true }
        if chance(faults.failedSyncs) {
            file.failSync(&generator)
            return false
        }
        file.sync()
        durableFiles = files
        return true
    }

    /// `false` where another process has the database.
    func take() -> Bool {
        guard !isInUse else { return false }
        isInUse = true
        return true
    }

    func giveBack(process: Int) { if process == self.process { isInUse = false } }
}
