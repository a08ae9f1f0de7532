internal import CSodium
internal import Foundation
internal import NIOCore

/// The reference of the API as one page of HTML. Style, script and the document that it shows are in it, so that a
/// browser asks for nothing else; only what its reader sends goes to the node.
struct DocsPage: Sendable {
    let content: ByteBuffer
    /// Lets run what the page was made with, lets that connect to the node it came from, and forbids all else.
    let contentSecurityPolicy: String

    /// - Parameter openAPI: an OpenAPI 3.1 document as JSON.
    init(openAPI: ByteBuffer) {
        let style = PackageResources.docs_css
        let script =
            PackageResources.docs_model_js + PackageResources.docs_request_js + PackageResources.docs_view_js
            + PackageResources.docs_answer_js + PackageResources.docs_try_js + PackageResources.docs_page_js
        var template = PackageResources.docs_html[...]
        var content: [UInt8] = []
        for (marker, text) in [
            ("{{style}}", style), ("{{document}}", Self.escaped(openAPI)), ("{{script}}", script),
        ] {
            guard let place = template.firstRange(of: Array(marker.utf8)) else {
                preconditionFailure("docs.html has no \(marker)")
            }
            content += template[..<place.lowerBound] + text
            template = template[place.upperBound...]
        }
        content += template
        self.content = ByteBuffer(bytes: content)
        contentSecurityPolicy = [
            "default-src 'none'", "script-src '\(Self.source(script))'", "style-src '\(Self.source(style))'",
            // The icon is in the page.
            "img-src data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ].joined(separator: "; ")
    }

    /// JSON in which nothing can end the script element that it stands in: less-than signs occur in strings only, where
    /// an escape means the same.
    private static func escaped(_ json: ByteBuffer) -> [UInt8] {
        var escaped: [UInt8] = []
        escaped.reserveCapacity(json.readableBytes + 64)
        for byte in json.readableBytesView {
            if byte == UInt8(ascii: "<") { escaped += #"\u003c"#.utf8 } else { escaped.append(byte) }
        }
        return escaped
    }

    /// By which a content security policy allows this text, CSP Level 3 §2.3.1.
    private static func source(_ text: [UInt8]) -> String { "sha256-\(Data(sha256(text)).base64EncodedString())" }

    private static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
        // Cannot fail, as libsodium's manual has it.
        crypto_hash_sha256(&hash, bytes, UInt64(bytes.count))
        return hash
    }
}
