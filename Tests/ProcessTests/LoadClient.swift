@testable import AutoClusterSync
import Foundation
import Runtime
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
    mutating func run(until stop: AtomicFlag) async -> WriteLedger {
        while !stop.isSet {
            let outcome = chance(0.2) ? await writeShared() : await writeOwned()
            // A node that fails is asked again and again.
            try? await Task.sleep(for: .milliseconds(outcome == .acknowledged ? 10 : 50))
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
    /// error leaves that open.
    static func outcome(of response: REST.Response) -> WriteLedger.Outcome {
        switch response.status {
        case 200, 201, 204: .acknowledged
        case 404, 409, 503, 507: .refused
        default: .unknown
        }
    }

    /// A connection that breaks leaves open what has happened.
    private func send(
        _ write: WriteLedger.Write, to key: String
    ) async -> (outcome: WriteLedger.Outcome, answer: Answer?) {
        do {
            let response = try await request(write, key).send()
            let outcome = Self.outcome(of: response)
            if outcome == .acknowledged, write != .delete { return (outcome, .todo(try response.decoded())) }
            return (outcome, .status(response.status))
        } catch SingleRequest.Failed.notSent {
            return (.refused, nil)
        } catch {
            return (.unknown, nil)
        }
    }

    private func request(_ write: WriteLedger.Write, _ key: String) -> SingleRequest {
        let path = "/todos/by-extern-id/\(key)"
        switch write {
        case .create(let text):
            return SingleRequest(
                node: node, method: "POST", path: "/todos", json: ["extern_id": .text(key), "todo": .text(text)])
        case .delete: return SingleRequest(node: node, method: "DELETE", path: path)
        case .update(let text, let isCompleted):
            var json: [String: SingleRequest.JSON] = [:]
            json["todo"] = text.map { .text($0) }
            json["completed"] = isCompleted.map { .boolean($0) }
            return SingleRequest(node: node, method: "PUT", path: path, json: json)
        }
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
