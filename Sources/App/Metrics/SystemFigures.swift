internal import Foundation
internal import Glibc
internal import Store

/// What the kernel tells of this process, and the file system of its database. 0 where it does not.
struct SystemFigures: Sendable {
    var processorSeconds = 0.0
    var residentBytes: Int64 = 0
    var virtualBytes: Int64 = 0
    var openDescriptors = 0
    var maxDescriptors: Int64 = 0
    var startTime = 0.0
    var threads: Int64 = 0
    var databaseBytes: Int64 = 0
    var logBytes: Int64 = 0

    /// Reads files: not for the cooperative pool.
    static func read(_ store: Store) -> Self {
        var figures = SystemFigures()
        (figures.databaseBytes, figures.logBytes) = store.fileSizes()
        figures.readProcess()
        return figures
    }

    mutating func readProcess() {
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            processorSeconds = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            maxDescriptors = Int64(clamping: limit.rlim_cur)
        }
        openDescriptors = Self.openDescriptorCount
        let fields = Self.statFields
        // proc(5): numbered from 3, the state, which follows the name.
        func field(_ number: Int) -> Int64 {
            let index = number - 3
            return fields.indices.contains(index) ? Int64(fields[index]) ?? 0 : 0
        }
        threads = field(20)
        virtualBytes = field(23)
        residentBytes = field(24) * Int64(sysconf(CInt(_SC_PAGESIZE)))
        startTime = Self.bootTime + Double(field(22)) / Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// Entries of `/proc/self/fd`, but for `.`, `..` and the one that lists them.
    private static var openDescriptorCount: Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return max(0, count - 3)
    }

    /// Of `/proc/self/stat`, from the state on: the name before it may hold spaces and parentheses.
    private static var statFields: [Substring] {
        let text = text(of: "/proc/self/stat")
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// Seconds since 1970; 0 where the kernel does not tell.
    private static let bootTime: Double = {
        for line in text(of: "/proc/stat").split(separator: "\n") where line.hasPrefix("btime ") {
            return Double(line.dropFirst("btime ".count)) ?? 0
        }
        return 0
    }()

    private static func text(of path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
