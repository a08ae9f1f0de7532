import Foundation

/// Where a target stands, in a file that outlives the process: a decoder that traps takes the tests with it.
///
/// The file is the environment that tries the input again, mapped into memory, so that noting an index costs no system
/// call. It is there while the target runs.
final class FuzzTrace {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent(".build/fuzz")

    private let path: String
    private let memory: UnsafeMutableRawBufferPointer

    init(_ target: String, seed: UInt64) throws {
        try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
        path = Self.folder.appendingPathComponent(target).path
        let text = Array(FuzzPlan.replay(target, seed: seed, index: 0).utf8) + [UInt8(ascii: "\n")]
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Broken(description: "\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        guard write(descriptor, text, text.count) == text.count,
            let base = mmap(nil, text.count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), base != MAP_FAILED
        else { throw Broken(description: "\(path): \(String(cString: strerror(errno)))") }
        memory = UnsafeMutableRawBufferPointer(start: base, count: text.count)
    }

    deinit {
        munmap(memory.baseAddress, memory.count)
        unlink(path)
    }

    func note(_ index: Int) {
        var rest = index
        for place in 2...13 {
            memory[memory.count - place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// What an earlier run left that did not come to its end.
    static func leftover(of target: String) -> String? {
        try? String(contentsOf: folder.appendingPathComponent(target), encoding: .utf8)
    }
}
