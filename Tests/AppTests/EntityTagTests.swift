import Store
import Testing

@testable import AutoClusterSync

@Suite("Entity tags")
struct EntityTagTests {
    @Test("Lists are read as RFC 9110 writes them; what cannot be read matches nothing")
    func lists() {
        for (text, expected) in [
            (#""a""#, [#""a""#]), (#"W/"a""#, [#"W/"a""#]), (#""a", W/"b" ,"c""#, [#""a""#, #"W/"b""#, #""c""#]),
            (#", ,"a",,"b","#, [#""a""#, #""b""#]), (#""a,b""#, [#""a,b""#]), (#""""#, [#""""#]), ("", []), (",", []),
            ("a", []), (#""a"#, []), (#"w/"a""#, []), (#""a" "b""#, []), (#""a"x"#, []), (#"* , "a""#, []),
            (#""a",*"#, []),
            (#"W/"#, []), (#"W/ "a""#, []),
        ] as [(String, [String])] {
            guard case .tags(let tags) = EntityTagList(text) else {
                Issue.record("\(text) is taken for *")
                continue
            }
            #expect(tags.map(\.description) == expected, "\(text)")
        }
        for text in ["*", " *", "* \t"] {
            guard case .any = EntityTagList(text) else {
                Issue.record("\(text) is not taken for *")
                continue
            }
        }
    }

    @Test("A weak tag is never strongly equal; Unicode's equivalence is no equality")
    func comparison() {
        let strong = EntityTag(isWeak: false, opaque: "a")
        let weak = EntityTag(isWeak: true, opaque: "a")
        #expect(strong.isStronglyEqual(to: strong) && strong.isWeaklyEqual(to: weak))
        #expect(!strong.isStronglyEqual(to: weak) && !weak.isStronglyEqual(to: weak))
        let composed = EntityTag(isWeak: false, opaque: "\u{e9}")
        let decomposed = EntityTag(isWeak: false, opaque: "e\u{301}")
        #expect(!composed.isStronglyEqual(to: decomposed) && !composed.isWeaklyEqual(to: decomposed))
    }

    @Test("The tag of a digest is its 32 digits, strong, and read back; nothing else is a digest's tag")
    func ofDigest() {
        for digest in [0, 1, 0xabc_def0, UInt128(UInt64.max) + 1, .max] as [UInt128] {
            let tag = EntityTag(digest: digest)
            #expect(tag.description.utf8.count == 34 && !tag.isWeak && tag.digest == digest)
            #expect(EntityTag(isWeak: true, opaque: String(tag.description.dropFirst().dropLast())).digest == digest)
        }
        #expect(EntityTag(digest: 0xabc).description == "\"00000000000000000000000000000abc\"")
        let digits = String(repeating: "a", count: 31)
        for opaque in ["", "a", digits, digits + "A", digits + "g", digits + "é", digits + "aa", " \(digits)"] {
            #expect(EntityTag(isWeak: false, opaque: opaque).digest == nil, "\(opaque)")
        }
    }

    @Test("Two todos have one tag when their JSON is the same, and not else", arguments: [false, true])
    func ofTodos(isCompleted: Bool) {
        var todos: [Todo] = []
        for (externID, text) in [
            ("a", "b"), ("ab", ""), ("", "ab"), ("a", "b\u{0}"), ("b", "a"), ("\u{e9}", "b"), ("e\u{301}", "b"),
            ("A", "b"),
            ("a", "B"), ("a", String(repeating: "b", count: 300_000)),
        ] {
            for id in [1, 2, Int64.max] {
                for milliseconds in [0, 1, -1, 253_402_300_799_999] as [Int64] {
                    todos.append(
                        Todo(
                            id: id, externID: externID, text: text, isCompleted: isCompleted,
                            createdAtMilliseconds: milliseconds))
                }
            }
        }
        func tags(_ todos: [Todo]) -> [String] { todos.map { EntityTag($0.version).description } }
        #expect(Set(tags(todos)).count == todos.count && tags(todos) == tags(todos))
        let others = todos.map {
            Todo(
                id: $0.id, externID: $0.externID, text: $0.text, isCompleted: !isCompleted,
                createdAtMilliseconds: $0.createdAtMilliseconds)
        }
        #expect(Set(tags(todos)).isDisjoint(with: tags(others)))
    }
}
