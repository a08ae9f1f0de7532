@testable import App
import Foundation
import Transport

/// A client that creates, updates and deletes todos through one node until it is told to stop, and keeps the books.
struct LoadClient: Sendable {
    /// Keys that all clients write, made before anything goes wrong. Those with an odd number are never deleted.
    static let sharedKeys = (0..<8).map { "shared-\($0)" }
    private static let ownedKeyCount = 12

    let name: String
    let node: REST
    private var generator: SeededGenerator
    private var ledger = WriteLedger()
    private var keys: [String] = []
    private var keyNumber = 0
    private var textNumber = 0

    /// `name` is part of its keys and texts, and of no other client's.
    init(name: String, node: REST, seed: UInt64) {
        self.name = name
        self.node = node
        generator = SeededGenerator(seed: seed)
        keys = (0..<Self.ownedKeyCount).map { _ in newKey() }
    }

    /// What it wrote and what it knows of it.
    mutating func run(until stop: StopFlag) async -> WriteLedger {
        while !stop.isSet {
            let outcome = chance(0.2) ? await writeShared() : await writeOwned()
            // A node that is down is asked again and again.
            try? await Task.sleep(for: .milliseconds(outcome == .refused ? 50 : 10))
        }
        return ledger
    }

    private mutating func writeOwned() async -> WriteLedger.Outcome {
        let index = Int.random(in: keys.indices, using: &generator)
        let key = keys[index]
        let before = ledger.value(of: key)
        let write = before == nil ? .create(newText()) : nextWrite(canDelete: true)
        let (outcome, answer) = await send(write, to: key)
        ledger.note(outcome, of: write, toOwned: key)
        if outcome == .unknown { keys[index] = newKey() }
        switch answer {
        case .todo(let todo):
            let shown = WriteLedger.Value(text: todo.todo, isCompleted: todo.completed)
            if let expected = write.applied(to: before), shown != expected {
                ledger.contradict("\(key): the answer to \(write) shows \(shown)")
            }
        case .status(let status) where status == 404 || status == 409:
            ledger.contradict(
                "\(key): \(write) was answered with \(status), after \(before.map { "\($0)" } ?? "nothing")")
        case .status, nil: break
        }
        return outcome
    }

    private mutating func writeShared() async -> WriteLedger.Outcome {
        let index = Int.random(in: Self.sharedKeys.indices, using: &generator)
        let write = nextWrite(canDelete: index % 2 == 0)
        let begin = ContinuousClock.now
        let key = Self.sharedKeys[index]
        var outcome = await send(write, to: key).outcome
        ledger.note(outcome, of: write, toShared: key, begin: begin, end: .now)
        if index % 2 == 0, chance(0.3) {
            let write = WriteLedger.Write.create(newText())
            let begin = ContinuousClock.now
            outcome = await send(write, to: key).outcome
            ledger.note(outcome, of: write, toShared: key, begin: begin, end: .now)
        }
        return outcome
    }

    private enum Answer {
        case todo(Todo)
        case status(Int)
    }

    /// 404 and 409 are said of something that has not happened. 503 and 507 promise that nothing has changed; any other
    /// error leaves that open, and so does a connection that breaks.
    private func send(
        _ write: WriteLedger.Write, to key: String
    ) async -> (outcome: WriteLedger.Outcome, answer: Answer?) {
        do {
            let response =
                switch write {
                case .create(let text):
                    try await node.requestOnce("POST", "/todos", json: ["extern_id": key, "todo": text])
                case .update(let text, let isCompleted):
                    try await node.requestOnce(
                        "PUT", "/todos/by-extern-id/\(key)", json: Self.json(text: text, isCompleted: isCompleted))
                case .delete: try await node.requestOnce("DELETE", "/todos/by-extern-id/\(key)")
                }
            switch response.status {
            case 204: return (.acknowledged, nil)
            case 200, 201: return (.acknowledged, .todo(try response.decoded()))
            case 404, 409, 503, 507: return (.refused, .status(response.status))
            default: return (.unknown, .status(response.status))
            }
        } catch let error as URLError where error.code == .cannotConnectToHost {
            return (.refused, nil)
        } catch {
            return (.unknown, nil)
        }
    }

    private static func json(text: String?, isCompleted: Bool?) -> [String: Any] {
        var json: [String: Any] = [:]
        json["todo"] = text
        json["completed"] = isCompleted
        return json
    }

    private mutating func nextWrite(canDelete: Bool) -> WriteLedger.Write {
        if canDelete, chance(0.2) { return .delete }
        return chance(0.7)
            ? .update(text: newText(), isCompleted: nil) : .update(text: nil, isCompleted: chance(0.5))
    }

    private mutating func newKey() -> String {
        keyNumber += 1
        return "\(name)-\(keyNumber)"
    }

    /// Written once only, so that it tells which write is shown.
    private mutating func newText() -> String {
        textNumber += 1
        return "\(name) wrote \(textNumber)"
    }

    private mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &generator) < share }
}
