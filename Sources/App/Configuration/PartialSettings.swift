internal import Logging
internal import Store

/// What one source, the file or the flags, says; `nil` where it says nothing.
struct PartialSettings: Sendable, Equatable {
    var logLevel: Logger.Level?
    var nodeName: String?
    var httpHost: String?
    var httpPort: UInt16?
    var tls: Settings.TLSFiles?
    var tokens: Settings.TokenSource?
    var httpLimits: HTTPLimits?
    var databasePath: String?
    var synchronous: StoreConfiguration.Synchronous?
    var transport: String?
    var bindAddress: HostAndPort?
    var advertiseAddress: HostAndPort?
    var publishAddress: HostAndPort?
    var seeds: [HostAndPort]?
    var joinTimeout: Duration?
    var syncTimeout: Duration?
    var encryptKey: ClusterKey?

    /// `self` where it says something, else `other`.
    func over(_ other: Self) -> Self {
        Self(
            logLevel: logLevel ?? other.logLevel, nodeName: nodeName ?? other.nodeName,
            httpHost: httpHost ?? other.httpHost, httpPort: httpPort ?? other.httpPort,
            tls: tls ?? other.tls, tokens: tokens ?? other.tokens, httpLimits: httpLimits ?? other.httpLimits,
            databasePath: databasePath ?? other.databasePath, synchronous: synchronous ?? other.synchronous,
            transport: transport ?? other.transport, bindAddress: bindAddress ?? other.bindAddress,
            advertiseAddress: advertiseAddress ?? other.advertiseAddress,
            publishAddress: publishAddress ?? other.publishAddress, seeds: seeds ?? other.seeds,
            joinTimeout: joinTimeout ?? other.joinTimeout, syncTimeout: syncTimeout ?? other.syncTimeout,
            encryptKey: encryptKey ?? other.encryptKey)
    }
}

extension Settings {
    /// The transports that the configuration has names for, the default first. A build offers those of its registry.
    static let transports = ["udp", "zmq"]
    /// The one that takes a `publish_addr`.
    private static let publishingTransport = "zmq"

    /// Why a transport of that kind (`nil`: the default) cannot have a `publish_addr`; `nil` when it can.
    static func refusalToPublish(kind: String?) -> String? {
        let kind = kind ?? transports[0]
        return kind == publishingTransport
            ? nil : "expected node.transport.kind \(publishingTransport) with it, found \(kind)"
    }

    /// The defaults, overlaid by what `partial` says. A bind address or a list of seeds, be it empty, makes a cluster.
    init(_ partial: PartialSettings, hostName: String) {
        let cluster: Cluster? =
            partial.bindAddress == nil && partial.seeds == nil ? nil : Cluster(partial, kind: partial.transport)
        self.init(nodeName: partial.nodeName ?? hostName, cluster: cluster)
        logLevel = partial.logLevel ?? logLevel
        http.host = partial.httpHost ?? http.host
        http.port = partial.httpPort ?? http.port
        http.tls = partial.tls
        http.tokens = partial.tokens
        http.limits = partial.httpLimits ?? http.limits
        database.path = partial.databasePath ?? database.path
        database.synchronous = partial.synchronous ?? database.synchronous
    }

    /// Flags beat the file, the file beats the defaults. All faults of both are thrown at once.
    ///
    /// - Parameter hostName: the node's name where nobody gives one.
    static func resolve(
        _ flags: FlagValues, transports: [String] = transports, hostName: String = ConfigurationFile.hostName()
    ) throws(ConfigurationError) -> Self {
        var flagFaults: [ConfigurationFault] = []
        let given = flags.settings(transports: transports, faults: &flagFaults)
        var faults: [ConfigurationFault] = []
        var file = PartialSettings()
        if let path = flags.config {
            do throws(ConfigurationError) {
                file = try PartialSettings(
                    yaml: try ConfigurationFile.read(path), transports: transports, kind: given.transport)
            } catch {
                faults += error.faults
            }
        }
        // Where the file is wrong, its transport is not known.
        if faults.isEmpty, given.publishAddress != nil,
            let refusal = refusalToPublish(kind: given.transport ?? file.transport)
        {
            flagFaults.append(ConfigurationFault(location: "-publish-addr", message: refusal))
        }
        faults += flagFaults
        guard faults.isEmpty else { throw ConfigurationError(path: flags.config, faults: faults) }
        return Settings(given.over(file), hostName: hostName)
    }
}

extension Settings.Cluster {
    fileprivate init(_ partial: PartialSettings, kind: String?) {
        self.init(transport: kind ?? Settings.transports[0])
        bindAddress = partial.bindAddress ?? bindAddress
        advertiseAddress = partial.advertiseAddress
        publishAddress = partial.publishAddress
        seeds = partial.seeds ?? seeds
        joinTimeout = partial.joinTimeout ?? joinTimeout
        syncTimeout = partial.syncTimeout ?? syncTimeout
        encryptKey = partial.encryptKey
    }
}

/// The flags as they were typed; `nil` where one was not given.
struct FlagValues: Sendable, Equatable {
    var config: String?
    var port: String?
    var db: String?
    var nodeName: String?
    var serfAddr: String?
    var bindAddr: String?
    var publishAddr: String?
    var transport: String?

    fileprivate func settings(transports: [String], faults: inout [ConfigurationFault]) -> PartialSettings {
        func value<Value>(_ flag: String, _ text: String?, _ rule: ValueRule<Value>) -> Value? {
            guard let text, !(text.isEmpty && rule.isEmptyAbsent) else { return nil }
            if let value = rule.parse(text) { return value }
            faults.append(ConfigurationFault(location: flag, message: rule.refusal(of: text)))
            return nil
        }
        var settings = PartialSettings()
        settings.httpPort = value("-port", port, .port)
        settings.databasePath = value("-db", db, .path)
        settings.nodeName = value("-node-name", nodeName, .nodeName)
        settings.transport = value("-transport", transport, .name(of: transports))
        let serf = value("-serf-addr", serfAddr, .address(ports: 0...UInt16.max))
        let bind = value("-bind-addr", bindAddr, .address(ports: 0...UInt16.max))
        if let serf, let bind, serf != bind {
            let message = "expected the same as -serf-addr (\(serf)), found \(bind); give one of them"
            faults.append(ConfigurationFault(location: "-bind-addr", message: message))
        }
        settings.bindAddress = bind ?? serf
        settings.publishAddress = value("-publish-addr", publishAddr, .address(ports: 0...UInt16.max))
        if let address = settings.publishAddress, address.port != 0, address == settings.bindAddress {
            let message = "expected another address than -bind-addr, found \(address)"
            faults.append(ConfigurationFault(location: "-publish-addr", message: message))
        }
        return settings
    }
}
