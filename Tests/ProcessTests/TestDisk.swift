import Foundation

/// A file system of one node's own, which can be full or refuse writes. Needs root.
///
/// Mounted where nobody sees it but who is started with its launcher, and gone with it.
final class TestDisk {
    enum Kind: String {
        /// In memory.
        case tmpfs
        /// In a file, as a disk's.
        case ext4
    }

    /// Whether this machine lets the tests make them.
    static let isAvailable: Bool = geteuid() == 0 && (try? TestDisk(.tmpfs)) != nil
    static let isExt4Available: Bool = geteuid() == 0 && (try? TestDisk(.ext4)) != nil
    static let needs = "needs root and mounts"

    let directory: URL
    private let kind: Kind
    private let mounts: KernelNamespace
    private var image: String { directory.path + ".image" }
    private static let megabytes = 12

    init(_ kind: Kind) throws {
        self.kind = kind
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-disk-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        mounts = try KernelNamespace(.mounts)
        if kind == .ext4 {
            try mounts.run("truncate --size \(Self.megabytes)M \(image)")
            try mounts.run("mkfs.ext4 -q \(image)")
        }
        try mount()
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
        try? FileManager.default.removeItem(atPath: image)
    }

    /// Becomes the command that follows it, which sees this disk.
    func launcher(in directory: URL) -> [String] { mounts.launcher(in: directory) }

    /// Takes all the room there is.
    func fill() throws { try mounts.shell("cat /dev/zero >>'\(directory.path)/ballast' 2>/dev/null; true") }

    func makeRoom() throws { try mounts.run("rm \(directory.path)/ballast") }

    /// From now on, though they are open, nobody can write to files with these names.
    func protect(_ names: [String]) throws { try changeAttributes("+i", names) }

    func unprotect(_ names: [String]) throws { try changeAttributes("-i", names) }

    private func changeAttributes(_ change: String, _ names: [String]) throws {
        try mounts.run((["chattr", change] + names.map { "\(directory.path)/\($0)" }).joined(separator: " "))
    }

    /// Refuses to be written to, as long as nobody has a file open for that.
    func makeReadOnly() throws { try mounts.run("mount -o remount,ro \(directory.path)") }

    /// Does what it does when a disk fails: for good, it takes no more writes, also to files that are open.
    func abort() throws { try mounts.run("mount -o remount,abort \(directory.path)") }

    /// Mounted anew, it can be written to again. Nobody may use it meanwhile.
    func mountAnew() throws {
        try mounts.run("umount \(directory.path)")
        try mount()
    }

    private func mount() throws {
        switch kind {
        case .tmpfs: try mounts.run("mount -t tmpfs -o size=\(Self.megabytes)m tmpfs \(directory.path)")
        case .ext4: try mounts.run("mount -o loop \(image) \(directory.path)")
        }
    }
}
