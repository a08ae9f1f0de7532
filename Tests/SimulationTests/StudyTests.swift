@testable import Simulation
import Testing
import Transport

@Suite("Studies")
struct StudyTests {
    @Test("A small cluster of either transport: writes reach all, deaths are found out, and nobody else is accused")
    func planning() {
        for transport in TransportKind.allCases {
            var options = PlanningStudy.Options()
            options.transport = transport
            options.time = .seconds(24)
            let finding = PlanningStudy.finding(nodeCount: 6, options)
            #expect(finding.formedSeconds.map { $0 < 5 } == true)
            #expect(finding.writes > 100 && finding.unfinishedWrites == 0 && finding.falsePositives == 0)
            #expect(finding.allSeconds.map { $0 < 0.1 } == true && finding.slowestSeconds.map { $0 < 2 } == true)
            #expect(finding.suspectedSeconds.map { $0 < 2 } == true && finding.knownSeconds.map { $0 < 5.5 } == true)
            #expect(finding.idleBytesPerSecondAndNode > 0)
            #expect(finding.loadedBytesPerSecondAndNode > finding.idleBytesPerSecondAndNode)
            let report = PlanningReport([finding, PlanningStudy.finding(nodeCount: 6, options)])
            let lines = report.table.split(separator: "\n")
            #expect(lines.count == 4 && lines[2] == lines[3], "the same options, the same finding")
            #expect(report.svg.hasPrefix("<svg") && report.svg.contains("<polyline") && !report.svg.contains("nan"))
        }
    }

    @Test("Nodes that stand still for 5 s: nobody else is declared failed, and they are back within 2 s")
    func pauses() {
        var options = PauseStudy.Options()
        options.nodeCount = 16
        options.time = .seconds(180)
        let finding = PauseStudy.finding(options)
        #expect(finding.pauses > 5 && finding.suspicions > 0)
        #expect(finding.healthyVerdicts == 0 && finding.lasting == 0)
        #expect(finding.slowestReturn <= .seconds(2))
    }

    @Test("The checksum is that of RFC 1071, and notices the damage that is done")
    func checksum() {
        #expect(Damage.checksum([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]) == 0x220d)
        #expect(Damage.checksum([0x12]) == ~0x1200)
        var generator = SeededGenerator(seed: 3)
        for length in [2, 3, 60, 1_400] {
            for _ in 0..<200 {
                let content = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
                var damaged = content
                let isNoticed = Damage.strike(&damaged, using: &generator)
                #expect(isNoticed == (damaged != content))
                #expect(!isNoticed || Damage.checksum(damaged) != Damage.checksum(content))
                Damage.decode(damaged)
            }
        }
        var short: [UInt8] = [1]
        #expect(!Damage.strike(&short, using: &generator))
    }
}
