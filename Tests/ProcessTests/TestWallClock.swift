import Foundation
import Testing

/// The wall clock of one node, which the test moves: a preloaded library adds what stands in a file.
final class TestWallClock {
    private let file: URL
    private let library: URL

    /// In `directory`, where the library is compiled, once for all clocks there.
    init(in directory: URL, name: String) throws {
        file = directory.appendingPathComponent("\(name).clock")
        library = directory.appendingPathComponent("clock.so")
        if !FileManager.default.fileExists(atPath: library.path) { try Self.compile(to: library) }
        try Data(count: 8).write(to: file)
    }

    private static func compile(to library: URL) throws {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Shims/clock.c")
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["clang", "-shared", "-fPIC", "-O1", "-o", library.path, source.path, "-ldl"]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "the clock's library could not be compiled")
    }

    /// Becomes the program that follows.
    var launcher: [String] {
        ["/usr/bin/env", "LD_PRELOAD=\(library.path)", "CLOCK_OFFSET_FILE=\(file.path)"]
    }

    /// How far the clock is ahead. Written where it is, since the process has the file mapped.
    func set(milliseconds: Int64) throws {
        let handle = try FileHandle(forWritingTo: file)
        try handle.write(contentsOf: withUnsafeBytes(of: milliseconds) { Data($0) })
        try handle.close()
    }
}
