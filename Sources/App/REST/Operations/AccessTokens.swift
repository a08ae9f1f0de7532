internal import HTTPTypes
internal import Hummingbird
internal import Keys
internal import Runtime

/// The tokens of which a client has to show one (RFC 6750), as they are now.
final class AccessTokens: Sendable {
    private let secrets: LockedBox<SecretSet>

    init(_ tokens: [AccessToken]) throws {
        secrets = LockedBox(try SecretSet(tokens.map(\.bytes)))
    }

    /// For requests that come after this.
    func replace(with tokens: [AccessToken]) throws {
        secrets.value = try SecretSet(tokens.map(\.bytes))
    }

    /// Why the request is not answered; `nil`: it may be.
    func refusal(of request: Request) -> Problem? {
        let fields = request.headers[values: .authorization]
        guard fields.count <= 1 else { return .tokenRepeated }
        guard let token = fields.first.flatMap(Self.token) else { return .tokenRequired }
        return secrets.value.contains(Array(token)) ? nil : .tokenUnknown
    }

    /// What stands behind the scheme `Bearer`; `nil` where another one is used.
    private static func token(in field: String) -> Substring.UTF8View? {
        let space = UInt8(ascii: " ")
        let scheme = field.utf8.prefix { $0 != space }
        guard scheme.elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 }) else { return nil }
        return field.utf8.dropFirst(scheme.count).drop { $0 == space }
    }
}
