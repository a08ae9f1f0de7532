import Foundation
import NIOCore
import Store
import Testing

@testable import AutoClusterSync

/// Todos as JSON, against a reader that is not ours.
@Suite("Todos as JSON")
struct TodoJSONTests {
    private struct Shown: Decodable, Equatable {
        var id: Int64
        var extern_id: String
        var todo: String
        var completed: Bool
        var created_at: String
    }

    private static let texts = [
        "plain", "", "\"quoted\"", "back\\slash", "line\nfeed\ttab\u{0}\u{1f}", "ümläut 🛒 e\u{301} \u{2028}",
        String(repeating: "🛒", count: 500), String(repeating: "\"", count: 500), "\u{7f}", "/",
    ]

    @Test("What goes in comes out, whether or not something has to be escaped", arguments: texts, texts)
    func roundTrip(externID: String, text: String) throws {
        for id in [1, 9, 10, 123_456_789, Int64.max] {
            let todo = Todo(
                id: id, externID: externID, text: text, isCompleted: id % 2 == 0,
                createdAtMilliseconds: 1_767_323_045_678)
            var buffer = ByteBuffer()
            buffer.writeJSON(todo)
            let shown = try JSONDecoder().decode(Shown.self, from: Data(buffer.readableBytesView))
            #expect(shown.id == id && shown.completed == todo.isCompleted)
            #expect(Array(shown.extern_id.utf8) == Array(externID.utf8) && Array(shown.todo.utf8) == Array(text.utf8))
            #expect(shown.created_at == "2026-01-02T03:04:05.678Z")
        }
    }

    @Test(
        "Dates from the first to the last year have 24 characters",
        arguments: [
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (0, "1970-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ])
    func dates(milliseconds: Int64, text: String) throws {
        for name in ["plain", "\"escaped\""] {
            var buffer = ByteBuffer()
            buffer.writeJSON(
                Todo(id: 1, externID: name, text: "t", isCompleted: false, createdAtMilliseconds: milliseconds))
            buffer.writeString(",")
            buffer.writeJSON(
                Todo(id: 2, externID: name, text: "t", isCompleted: true, createdAtMilliseconds: milliseconds))
            let shown = try JSONDecoder().decode(
                [Shown].self, from: Data("[".utf8) + buffer.readableBytesView + Data("]".utf8))
            #expect(shown.map(\.created_at) == [text, text] && shown.map(\.id) == [1, 2])
        }
    }
}
