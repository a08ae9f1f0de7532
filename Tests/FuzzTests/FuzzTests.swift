import Testing

/// Every decoder that reads what others wrote, with input that is nearly right. `make fuzz` tries a million for each.
@Suite("Fuzzing")
struct FuzzTests {
    @Test(
        "No input makes a decoder trap, take long, give much, or read what it does not write", arguments: plan.targets)
    func everyInput(target: FuzzTarget) throws {
        if let leftover = FuzzTrace.leftover(of: target.name) {
            print("\(target.name): an earlier run did not come to its end; it stood at\n\(leftover)")
        }
        var run = try FuzzRun(target, Self.plan)
        try run.run()
        for fault in run.faults { Issue.record("\(fault)") }
    }

    @Test("The same target, seed and index give the same input, others give others")
    func repeatable() throws {
        for target in FuzzTarget.all {
            let runs = [try FuzzRun(target, Self.plan), try FuzzRun(target, Self.plan)]
            #expect((0..<100).allSatisfy { runs[0].input($0) == runs[1].input($0) }, "\(target.name)")
            #expect(Set((0..<100).map(runs[0].input)).count > 50, "\(target.name)")
        }
    }

    private static let plan = FuzzPlan.environment
}
