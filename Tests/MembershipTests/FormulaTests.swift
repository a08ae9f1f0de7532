import Membership
import Testing

@Suite("The formulas of memberlist")
struct FormulaTests {
    @Test("Local health moves and scales as in memberlist")
    func localHealth() {
        var health = LocalHealth(limit: 8)
        let rows = Vector.formula("awareness_max8")
        #expect(rows.count == 7)
        for row in rows {
            health.apply(row["delta"] ?? 0)
            #expect(health.score == row["score"])
            #expect(health.scale(.seconds(1)) == .milliseconds(row["probe_interval_ms"] ?? 0))
        }
        health.apply(.max)
        health.apply(.min)
        #expect(health.score == 0)
    }

    @Test("Push/pulls become rarer in large clusters as in memberlist")
    func pushPullScale() {
        let rows = Vector.formula("push_pull_scale")
        #expect(rows.count == 8)
        for row in rows {
            let interval = Formulas.pushPullInterval(.seconds(row["interval_s"] ?? 0), memberCount: row["n"] ?? 0)
            #expect(interval == .seconds(row["s"] ?? 0))
        }
    }

    @Test("The shortest suspicion is that of memberlist")
    func minimumSuspicion() {
        let rows = Vector.formula("suspicion_timeout")
        #expect(rows.count == 9)
        for row in rows {
            let minimum = Formulas.minimumSuspicion(
                multiplier: row["mult"] ?? 0, memberCount: row["n"] ?? 0,
                interval: .milliseconds(row["interval_ms"] ?? 0))
            #expect(minimum == .milliseconds(row["min_ms"] ?? 0))
        }
    }

    @Test("Confirmations shorten a suspicion as in memberlist")
    func suspicionRemaining() {
        let rows = Vector.formula("suspicion_remaining")
        #expect(rows.count == 9)
        for row in rows {
            let timeout = Formulas.suspicionTimeout(
                confirmations: row["confirmations"] ?? 0, needed: row["k"] ?? 0,
                minimum: .milliseconds(row["min_ms"] ?? 0), maximum: .milliseconds(row["max_ms"] ?? 0))
            #expect(timeout - .milliseconds(row["elapsed_ms"] ?? 0) == .milliseconds(row["remaining_ms"] ?? 0))
        }
    }

    @Test("Three members need no confirmations, four need two")
    func neededConfirmations() {
        #expect((0...3).map { Formulas.neededConfirmations(multiplier: 4, memberCount: $0) } == [0, 0, 0, 0])
        #expect(Formulas.neededConfirmations(multiplier: 4, memberCount: 4) == 2)
        #expect(Formulas.neededConfirmations(multiplier: 1, memberCount: 1_000) == 0)
    }
}
