internal import Keys
internal import Logging
internal import Store
internal import Transport
internal import TransportKit

/// Everything a node is told when it starts: the defaults, overlaid by the file, overlaid by the flags.
///
/// A value of this type has passed every check; nothing was opened or created to make it.
struct Settings: Sendable, Equatable {
    struct HTTP: Sendable, Equatable {
        /// A host name or an address, without brackets.
        var host = "0.0.0.0"
        /// 0: any free port.
        var port: UInt16 = 8080
        /// `nil`: HTTP in clear.
        var tls: TLSFiles?
        /// `nil`: whoever reaches the address may do everything.
        var tokens: TokenSource?
        var limits = HTTPLimits()

        /// Where the API is, as a URL without a path.
        func url(_ address: some CustomStringConvertible) -> String {
            "\(tls == nil ? "http" : "https")://\(address)"
        }

        /// Whether only this machine reaches `host`. A name counts as reachable, but for the one of this machine.
        var isLoopback: Bool {
            host.isSame(as: "localhost") || PeerAddress("\(HostAndPort(host: host, port: port))")?.isLoopback == true
        }
    }

    /// Paths of PEM files.
    struct TLSFiles: Sendable, Equatable {
        /// The node's certificate, and behind it those that lead from it to one that clients know.
        var certificate: String
        /// Not encrypted.
        var key: String
        /// Whose certificates clients must have; `nil`: they need none.
        var clientCA: String?
    }

    enum TokenSource: Sendable, Equatable {
        case token(AccessToken)
        /// The path of an `AccessTokenFile`.
        case file(String)
    }

    struct Database: Sendable, Equatable {
        var path = "./todos.db"
        var synchronous = StoreConfiguration.Synchronous.full
    }

    struct Cluster: Sendable, Equatable {
        /// What to bind when seeds are given without an address: the port that Serf uses, on every interface.
        static let defaultBindAddress = HostAndPort(host: "0.0.0.0", port: 7946)
        static let maximumSeedCount = 256

        var transport: TransportPlugin
        /// Port 0: any free one.
        var bindAddress = defaultBindAddress
        /// What other nodes dial, where that differs from `bindAddress`.
        var advertiseAddress: HostAndPort?
        /// Settings that only `transport` has, by name; those that were given.
        var transportValues: [String: TransportValue] = [:]
        /// May be empty, and may name the node itself.
        var seeds: [HostAndPort] = []
        /// Where no other node is there, this one is the cluster: it waits for nobody.
        var isBootstrap = false
        /// How long to wait at start for seeds that do not answer at all; without data also for those that are not there.
        var joinTimeout: Duration = .seconds(10)
        /// How long the first synchronisation may stand still before the node opens without it.
        var syncTimeout: Duration = .seconds(30)
        /// `nil`: messages go in clear.
        var encryptKey: ClusterKey?
    }

    var logLevel = Logger.Level.info
    var nodeName: String
    var http = HTTP()
    var database = Database()
    /// `nil`: the node stands alone.
    var cluster: Cluster?
}

/// A host name, an IPv4 address or an IPv6 address (without brackets), and a port. Names are resolved where they are
/// used, each time afresh.
struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var port: UInt16

    var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
