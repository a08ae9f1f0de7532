internal import Keys
internal import Logging
internal import Store
internal import TransportKit

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
    var transport: TransportPlugin?
    var bindAddress: HostAndPort?
    var advertiseAddress: HostAndPort?
    /// Settings of one transport alone, by name.
    var transportValues: [String: TransportValue] = [:]
    var seeds: [HostAndPort]?
    var isBootstrap: Bool?
    var joinTimeout: Duration?
    var syncTimeout: Duration?
    var encryptKey: ClusterKey?

    /// A file, overlaid by all that flags can say.
    func overlaid(by flags: Self) -> Self {
        var settings = self
        settings.nodeName = flags.nodeName ?? nodeName
        settings.httpPort = flags.httpPort ?? httpPort
        settings.databasePath = flags.databasePath ?? databasePath
        settings.transport = flags.transport ?? transport
        settings.bindAddress = flags.bindAddress ?? bindAddress
        settings.transportValues.merge(flags.transportValues) { $1 }
        return settings
    }
}

extension Settings {
    /// The defaults, overlaid by what `partial` says. A bind address or a list of seeds, be it empty, makes a cluster.
    init(_ partial: PartialSettings, transports: TransportRegistry, hostName: String) {
        let cluster: Cluster? =
            partial.bindAddress == nil && partial.seeds == nil
            ? nil : Cluster(partial, transport: partial.transport ?? transports.standard)
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
        _ flags: FlagValues, transports: TransportRegistry, hostName: String = ConfigurationFile.hostName()
    ) throws(ConfigurationError) -> Self {
        var flagFaults: [ConfigurationFault] = []
        let given = flags.settings(transports: transports, faults: &flagFaults)
        var faults: [ConfigurationFault] = []
        var file = PartialSettings()
        if let path = flags.config {
            do throws(ConfigurationError) {
                file = try PartialSettings(
                    yaml: try ConfigurationFile.read(path), transports: transports, chosen: given.transport)
            } catch {
                faults += error.faults
            }
        }
        // Where the file is wrong, its transport is not known.
        for option in transports.options where faults.isEmpty && given.transportValues[option.name] != nil {
            if let refusal = transports.refusal(of: option, with: given.transport ?? file.transport) {
                flagFaults.append(ConfigurationFault(location: "-\(option.flag)", message: refusal))
            }
        }
        faults += flagFaults
        guard faults.isEmpty else { throw ConfigurationError(path: flags.config, faults: faults) }
        return Settings(file.overlaid(by: given), transports: transports, hostName: hostName)
    }
}

extension Settings.Cluster {
    fileprivate init(_ partial: PartialSettings, transport: TransportPlugin) {
        self.init(transport: transport)
        bindAddress = partial.bindAddress ?? bindAddress
        advertiseAddress = partial.advertiseAddress
        transportValues = partial.transportValues
        seeds = partial.seeds ?? seeds
        isBootstrap = partial.isBootstrap ?? isBootstrap
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
    var transport: String?
    /// Settings of one transport alone, by name.
    var transportValues: [String: String] = [:]

    fileprivate func settings(transports: TransportRegistry, faults: inout [ConfigurationFault]) -> PartialSettings {
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
        settings.transport = value("-transport", transport, .transport(of: transports))
        let serf = value("-serf-addr", serfAddr, .address(ports: 0...UInt16.max))
        let bind = value("-bind-addr", bindAddr, .address(ports: 0...UInt16.max))
        if let serf, let bind, serf != bind {
            let message = "expected the same as -serf-addr (\(serf)), found \(bind); give one of them"
            faults.append(ConfigurationFault(location: "-bind-addr", message: message))
        }
        settings.bindAddress = bind ?? serf
        for option in transports.options {
            let flag = "-\(option.flag)"
            guard let value = value(flag, transportValues[option.name], option.rule) else { continue }
            settings.transportValues[option.name] = value
            guard case .address(let address) = value, address.port != 0, address == settings.bindAddress else {
                continue
            }
            let message = "expected another address than -bind-addr, found \(address)"
            faults.append(ConfigurationFault(location: flag, message: message))
        }
        return settings
    }
}
