import Foundation
import Testing

/// One node of a cluster has a bad disk: it must not acknowledge what it cannot keep, and goes on otherwise.
@Suite("Bad disk", .serialized, .enabled(if: TestDisk.isAvailable && TestNetwork.isAvailable, "\(TestDisk.needs)"))
struct DiskFaultTests {
    @Test(
        "a node whose disk is full refuses writes, goes on reading, and recovers by itself when there is room",
        arguments: Transports.all)
    func full(transport: String) async throws {
        let disk = try TestDisk(.tmpfs)
        let scene = try await FaultScene(3, transport: transport, disks: [0: disk])
        let pid = try scene.cluster.process(0).pid
        try await scene.underLoad {
            try await scene.pass(1)
            try await refusesWrites(scene, by: { try disk.fill() }, status: 507)
            try await scene.pass()
            try await goesOnReading(scene)
            try disk.makeRoom()
            try await takesWrites(scene)
            try await scene.pass(1)
        }
        try await scene.settled(within: 10)
        #expect(try scene.cluster.process(0).pid == pid, "not restarted")
    }

    @Test(
        "a node that may not write refuses writes, goes on reading, and recovers: by itself, or restarted on a disk that was away",
        .enabled(if: TestDisk.isExt4Available, "needs loop devices and ext4"), arguments: Transports.all)
    func readOnly(transport: String) async throws {
        let disk = try TestDisk(.ext4)
        let scene = try await FaultScene(3, transport: transport, disks: [0: disk])
        let cluster = scene.cluster
        let pid = try cluster.process(0).pid
        let files = ["\(cluster.members[0].database)", "\(cluster.members[0].database)-wal"]
        try await scene.underLoad {
            try await scene.pass(1)
            try disk.protect(files)
            try await refusesWrites(scene, status: 500)
            try await scene.pass(FaultScene.seconds / 2)
            try await goesOnReading(scene)
            try disk.unprotect(files)
            try await takesWrites(scene)
            #expect(try cluster.process(0).pid == pid, "not restarted")

            try disk.abort()
            try await refusesWrites(scene, status: 500)
            try await scene.pass(FaultScene.seconds / 2)
            try await goesOnReading(scene)
            let process = try cluster.process(0)
            process.signal(SIGTERM)
            #expect(process.waitForExit(seconds: 10)?.wasSignal == false)
            try disk.mountAnew()
            try cluster.start(0)
            try await cluster.ready(0)
            try await takesWrites(scene)
        }
        try await scene.settled(within: 10)
    }

    @Test(
        "a node does not start on a file system that is read-only, and says so in one sentence",
        arguments: [false, true])
    func startReadOnly(hasDatabase: Bool) async throws {
        let disk = try TestDisk(.tmpfs)
        let network = try TestNetwork(1)
        let cluster = try TestCluster(1, transport: Transports.all[0], network: network, disks: [0: disk])
        if hasDatabase {
            try await cluster.startAll()
            try await cluster[0].create("before", "x")
            let process = try cluster.process(0)
            process.signal(SIGTERM)
            #expect(process.waitForExit(seconds: 10) == NodeProcess.Exit(status: 0, wasSignal: false))
            try FileManager.default.removeItem(at: process.logFile)
        }
        try disk.makeReadOnly()
        try cluster.start(0)
        let process = try cluster.process(0)
        #expect(process.waitForExit(seconds: 10) == NodeProcess.Exit(status: 1, wasSignal: false))
        let lines = process.output.split(separator: "\n")
        #expect(lines.count == 1, "\(process.output)")
        #expect(lines.first?.contains(cluster.members[0].database) == true)
        #expect(lines.first?.contains("Read-only file system") == true)
    }

    /// `action` is done before each try: what was freed meanwhile may have to be taken again.
    private func refusesWrites(_ scene: FaultScene, by action: () throws -> Void = {}, status: Int) async throws {
        var body = Data()
        try await scene.cluster.eventually("node-1 refuses writes", within: 10) {
            try action()
            let response = try await scene.write(to: 0)
            body = response.body
            return response.status == status
        }
        struct Problem: Decodable { var status: Int; var title: String; var detail: String }
        let problem = try JSONDecoder().decode(Problem.self, from: body)
        #expect(problem.status == status)
        #expect(problem.detail.contains(status == 507 ? "disk is full" : "cannot read or write its disk"))
    }

    private func goesOnReading(_ scene: FaultScene) async throws {
        #expect(try await scene.cluster[0].todo(LoadClient.sharedKeys[1]) != nil)
        #expect(try await scene.cluster[0].todos().count > LoadClient.sharedKeys.count / 2)
        #expect(await scene.cluster[0].isReady)
    }

    private func takesWrites(_ scene: FaultScene) async throws {
        try await scene.cluster.eventually("node-1 takes writes again", within: 5) {
            try await scene.write(to: 0).status == 200
        }
    }
}
