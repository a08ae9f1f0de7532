internal import Foundation

/// The processes of a benchmark and the directory of their files. Whatever happens, `endAll` ends them all and removes the
/// directory; it may be called from any thread.
///
/// `@unchecked Sendable`: all mutable state is touched under `lock` only.
package final class Fleet: @unchecked Sendable {
    private let temporary: TemporaryDirectory
    private let executable: String
    private let lock = NSLock()
    private var running: [Process] = []
    private var isEnded = false

    /// `executable`: the path of this program. Makes a directory of its own in `parent`.
    package init(executable: String, in parent: String) throws {
        self.executable = executable
        temporary = try TemporaryDirectory(in: parent)
    }

    var directory: String { temporary.path }

    /// Starts this program with `arguments`; what it says goes to the end of the file `log`.
    func start(_ arguments: [String], log: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardInput = FileHandle.nullDevice
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try handle.seekToEnd()
        (process.standardOutput, process.standardError) = (handle, handle)
        return try lock.withLock {
            guard !isEnded else { throw BenchmarkError.failed("interrupted") }
            try process.run()
            running.append(process)
            return process
        }
    }

    /// Throws when everything was ended: for loops that start nothing.
    func check() throws {
        if lock.withLock({ isEnded }) { throw CancellationError() }
    }

    /// Waits so many seconds for it to end, then kills it.
    func end(_ process: Process, after seconds: Double = 0) {
        let stopwatch = Stopwatch()
        while process.isRunning, stopwatch.seconds < seconds { usleep(1_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        lock.withLock { running.removeAll { $0 === process } }
    }

    /// Kills what runs, and removes the directory.
    package func endAll() {
        let processes = lock.withLock {
            isEnded = true
            defer { running = [] }
            return running
        }
        for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for process in processes { process.waitUntilExit() }
        temporary.remove()
    }

    /// Ports that were free a moment ago, all different.
    static func freePorts(_ count: Int) throws(BenchmarkError) -> [UInt16] {
        var sockets: [Int32] = []
        defer { for descriptor in sockets { close(descriptor) } }
        var ports: [UInt16] = []
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { throw .outOfDescriptors }
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            guard isBound else { throw .failed("no free port") }
            ports.append(UInt16(bigEndian: address.sin_port))
        }
        return ports
    }
}
