import Foundation
import Keys

@testable import AutoClusterSync
@testable import Executable

extension FuzzTarget {
    static let configuration = [
        FuzzTarget(
            name: "yaml", tokens: yamlTokens, samples: { try $0.yamlTexts() },
            check: { input in
                do throws(ConfigurationFault) {
                    _ = try YAMLDocument.compose(String(decoding: input, as: UTF8.self))
                } catch {
                    try require(error.description.utf8.count < 1_000, "a long message: \(error)")
                }
            }),
        FuzzTarget(
            name: "configuration", tokens: yamlTokens, samples: { try $0.yamlTexts() }, check: checkConfiguration),
        FuzzTarget(
            name: "setting-values",
            tokens: ["[", "]", "::", "-0", "0x1p4", "+", "\u{0}", "٣", "e\u{301}", "inf"].map { Array($0.utf8) },
            samples: { random in
                (0..<100).map { _ in
                    Array(random.pick(["\(random.address())", "node-1.example:7946", "8080", "1.5", "node 1"]).utf8)
                }
            }, check: checkValue),
        FuzzTarget(
            name: "cluster-keys", tokens: ["=", "==", "+", "/", "\n", " ", "-", "_"].map { Array($0.utf8) },
            samples: { random in
                (0..<100).map { _ in
                    let count = random.bool() ? 32 : random.int(50)
                    return Array(
                        Data((0..<count).map { _ in UInt8(truncatingIfNeeded: random.int(256)) })
                            .base64EncodedString().utf8)
                }
            },
            check: { input in
                let text = String(decoding: input, as: UTF8.self)
                if let key = ClusterKey(base64: text) {
                    try require(key.base64.isSame(as: text), "two texts for a key")
                }
            }),
    ]

    private static let yamlTokens: [[UInt8]] =
        [
            "&a ", "*a", "&b [*a,*a]", "? ", "? *a\n: ", "!!str ", "!!binary ", "!!int ", "!<tag:yaml.org,2002:map> ",
            "<<: *a\n", "- ", "- - - - ", "[[[[[[[[", "{{{{{{{{", "{a: {a: {a: ", "]", "}", ",", ": ", "|\n", ">-\n",
            "'",
            "\"", "\"\\u0000\"", "\"\\ud800\"", "\\x", "%YAML 1.2\n", "%TAG ! tag:\n", "---\n", "...\n", "# *a\n", "~",
            "null",
            "\t", "\r", "\u{0}", "\u{85}", "\u{2028}", "\u{feff}", "\u{E000}", "1e999", "99999999999999999999", "0x7f",
            "0o17", ".inf", "2001-01-01", "node:\n", "  name: a\n", "cluster:\n", "  seeds: [a:1]\n",
            "log_level: info\n",
        ].map { Array($0.utf8) } + [[0xff], [0xed, 0xa0, 0x80]]

    private static let transports = TransportRegistry(Main.transports)

    /// As a file is read: what is wrong is told in a bounded text, the rest makes settings.
    private static func checkConfiguration(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        let partial: PartialSettings
        do throws(ConfigurationError) {
            partial = try PartialSettings(yaml: text, transports: transports)
        } catch {
            try require(!error.faults.isEmpty, "refused without a fault")
            let bytes = error.description.utf8.count
            try require(bytes <= 100 * input.count + 1_000, "\(bytes) bytes of faults for \(input.count)")
            return
        }
        try require(partial.overlaid(by: partial) == partial, "settings over themselves are others")
        let settings = Settings(partial, transports: transports, hostName: "host")
        try require((1...128).contains(settings.nodeName.utf8.count), "the name \(settings.nodeName)")
    }

    private static func checkValue(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        if let address = ValueRule<HostAndPort>.address(ports: 0...UInt16.max).parse(text) {
            try require(
                ValueRule<HostAndPort>.address(ports: 0...UInt16.max).parse(address.description) == address,
                "\(text) is read as \(address)")
            let isPlain = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "+") }
            try require(isPlain && !text.hasSuffix(":-0"), "\(text) is read as \(address)")
        }
        if let port = ValueRule<UInt16>.port.parse(text) {
            try require(String(port).isSame(as: text), "\(text) is read as \(port)")
        }
        if let time = ValueRule<Duration>.seconds.parse(text) {
            try require(time > .zero && time <= .seconds(3600), "\(text) is read as \(time)")
        }
        _ = ValueRule<String>.nodeName.parse(text)
        _ = ValueRule<String>.path.parse(text)
        _ = ValueRule<String>.httpHost.parse(text)
        let shown = ConfigurationFault.quoted(text)
        try require(shown.unicodeScalars.count <= 60 * 12 + 3, "\(shown) is long")
        try require(!shown.utf8.contains { $0 < 0x20 }, "a control character is shown")
    }
}

extension RandomValues {
    /// The files that are shipped, whole and in pieces.
    fileprivate mutating func yamlTexts() throws -> [[UInt8]] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("configs")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
        let files = try names.sorted().map { try Array(Data(contentsOf: folder.appendingPathComponent($0))) }
        // Comments are most of the shipped files; without them chance hits what is read.
        let bare = files.map { file in
            Array(
                file.split(separator: 10).filter { $0.first { $0 != 32 } != UInt8(ascii: "#") }.joined(separator: [10]))
        }
        let small = [
            "node:\n  name: a\n  http: {host: '::1', port: 8080}\n  database: {path: \"x\\u00e9.db\", synchronous: normal}\n",
            "a: &a [1, 2]\nb: *a\n? {c: d}\n: e\n", "log_level: debug\ncluster:\n  seeds:\n  - a:1\n  - '[::1]:2'\n",
            "cluster: {join_timeout: 1.5, sync_timeout: 2, encrypt_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}\n",
        ]
        return bare + bare + files + small.map { Array($0.utf8) }
    }
}
