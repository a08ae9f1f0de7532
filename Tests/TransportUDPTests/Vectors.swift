import Foundation
import Testing

/// Golden bytes of memberlist packets; only what these tests read of the file.
struct Vectors: Decodable {
    struct Vector: Decodable {
        var name: String
        var kind: String
        var hex: String
        var key: String?

        var bytes: [UInt8] { get throws { try Vectors.bytes(hex) } }
    }

    struct Formulas: Decodable {
        struct RetransmitLimit: Decodable {
            var n: Int
            var mult: Int
            var limit: Int
        }

        var retransmit_limit: [RetransmitLimit]
    }

    var formulas: Formulas
    var vectors: [Vector]

    static func load() throws -> Vectors {
        let url = try #require(
            Bundle.module.url(forResource: "memberlist-vectors", withExtension: "json", subdirectory: "Fixtures"))
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: url))
    }

    static func bytes(_ hex: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = hex[...]
        while !rest.isEmpty {
            bytes.append(try #require(UInt8(rest.prefix(2), radix: 16)))
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
