import NIOCore
import Testing

@testable import App

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

    @Test("The tag of bytes is 32 digits, the same for the same bytes only")
    func ofBytes() {
        let tags = ["", "a", "b", "ab"].map { EntityTag(of: ByteBuffer(string: $0)).description }
        #expect(Set(tags).count == 4 && tags.allSatisfy { $0.utf8.count == 34 })
        #expect(EntityTag(of: ByteBuffer(string: "a")).description == tags[1])
    }
}
