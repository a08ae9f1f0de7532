internal import TransportKit
internal import Yams

extension PartialSettings {
    /// Reads the text of a configuration file. Nothing, or only comments, is a file that says nothing.
    ///
    /// - Parameter chosen: the transport that a flag chose, over what the file says.
    init(
        yaml text: String, transports: TransportRegistry, chosen: TransportPlugin? = nil
    ) throws(ConfigurationError) {
        var reader = SettingsReader(transports: transports, chosen: chosen)
        let root: Node?
        do throws(ConfigurationFault) {
            root = try YAMLDocument.compose(text)
        } catch {
            throw ConfigurationError(faults: [error])
        }
        self = reader.settings(root)
        guard reader.faults.isEmpty else { throw ConfigurationError(faults: reader.faults) }
    }
}

/// Walks the known keys of a configuration file and collects every fault. What lies under unknown keys is not visited.
struct SettingsReader {
    /// One key of a mapping with what it says.
    struct Entry {
        var path: String
        var node: Node
    }

    /// What a mapping says under its known keys.
    struct Section {
        var path: String
        var nodes: [String: Node] = [:]

        subscript(key: String) -> Entry? {
            nodes[key].map { Entry(path: path.isEmpty ? key : "\(path).\(key)", node: $0) }
        }
    }

    let transports: TransportRegistry
    let chosen: TransportPlugin?
    private(set) var faults: [ConfigurationFault] = []

    init(transports: TransportRegistry, chosen: TransportPlugin?) {
        self.transports = transports
        self.chosen = chosen
    }

    mutating func settings(_ root: Node?) -> PartialSettings {
        var settings = PartialSettings()
        guard let root else { return settings }
        let top = section(Entry(path: "", node: root), keys: ["log_level", "node", "cluster"])
        settings.logLevel = value(top["log_level"], .logLevel)
        readNode(top["node"], into: &settings)
        readCluster(top["cluster"], into: &settings)
        // A stable order for the reader of the messages: as the file stands.
        faults = faults.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
            .map(\.element)
        return settings
    }

    private mutating func readNode(_ entry: Entry?, into settings: inout PartialSettings) {
        let older = transports.plugins.compactMap(\.olderSection)
        let node = section(entry, keys: ["name", "transport"] + older + ["http", "database"])
        settings.nodeName = value(node["name"], .nodeName)
        readHTTP(node["http"], into: &settings)
        let database = section(node["database"], keys: ["path", "synchronous"])
        settings.databasePath = value(database["path"], .path)
        settings.synchronous = value(database["synchronous"], .synchronous)

        readTransport(node["transport"], into: &settings)
        for plugin in transports.plugins {
            guard let name = plugin.olderSection else { continue }
            readOlderSection(node[name], of: plugin, into: &settings)
        }
    }

    /// The older way to say where a node with that transport listens.
    private mutating func readOlderSection(
        _ entry: Entry?, of plugin: TransportPlugin, into settings: inout PartialSettings
    ) {
        let section = section(entry, keys: ["bind_addr"])
        guard let address = value(section["bind_addr"], .address(ports: 0...UInt16.max)) else { return }
        if settings.bindAddress != nil {
            fault(section["bind_addr"], "expected either this or node.transport.bind_addr, found both")
        } else if let found = settings.transport, found != plugin {
            fault(
                section["bind_addr"],
                "expected node.transport.kind \(plugin.kind) with it, found \(found.kind); use node.transport.bind_addr"
            )
        }
        settings.bindAddress = address
        settings.transport = settings.transport ?? plugin
    }

    private mutating func readTransport(_ entry: Entry?, into settings: inout PartialSettings) {
        let options = transports.options
        let transport = section(entry, keys: TransportRegistry.commonKeys + options.map(\.name))
        settings.transport = value(transport["kind"], .transport(of: transports))
        let isKindWrong = settings.transport == nil && transport["kind"]?.node.isAbsent == false
        settings.bindAddress = value(transport["bind_addr"], .address(ports: 0...UInt16.max))
        settings.advertiseAddress = value(transport["advertise_addr"], .address(ports: 1...UInt16.max))
        for option in options {
            guard let value = value(transport[option.name], option.rule) else { continue }
            settings.transportValues[option.name] = value
            guard !isKindWrong else { continue }
            if let refusal = transports.refusal(of: option, with: chosen ?? settings.transport) {
                fault(transport[option.name], refusal)
            } else if case .address(let address) = value, address.port != 0, address == settings.bindAddress {
                fault(transport[option.name], "expected another address than bind_addr, found \(address)")
            }
        }
    }

    private mutating func readCluster(_ entry: Entry?, into settings: inout PartialSettings) {
        let cluster = section(entry, keys: ["seeds", "bootstrap", "join_timeout", "sync_timeout", "encrypt_key"])
        settings.seeds = seeds(cluster["seeds"])
        settings.isBootstrap = value(cluster["bootstrap"], .flag)
        settings.joinTimeout = value(cluster["join_timeout"], .seconds)
        settings.syncTimeout = value(cluster["sync_timeout"], .seconds)
        settings.encryptKey = value(cluster["encrypt_key"], .clusterKey)
    }

    private mutating func seeds(_ entry: Entry?) -> [HostAndPort]? {
        guard let entry, !entry.node.isAbsent else { return nil }
        let expectation = "a list of up to \(Settings.Cluster.maximumSeedCount) addresses"
        guard case .sequence(let nodes) = entry.node else {
            fault(entry, "expected \(expectation), found \(entry.node.kind)")
            return nil
        }
        guard nodes.count <= Settings.Cluster.maximumSeedCount else {
            fault(entry, "expected \(expectation), found \(nodes.count)")
            return nil
        }
        let rule = ValueRule<HostAndPort>.address(ports: 1...UInt16.max, isEmptyAbsent: false)
        return nodes.enumerated().compactMap { index, node in
            let seed = Entry(path: "\(entry.path)[\(index)]", node: node)
            if node.isAbsent { fault(seed, "expected \(rule.expectation), found nothing") }
            return value(seed, rule)
        }
    }

    /// The mapping at `entry`; empty when nothing is there. Unknown and doubled keys are faults.
    mutating func section(_ entry: Entry?, keys: [String]) -> Section {
        var section = Section(path: entry?.path ?? "")
        guard let entry, !entry.node.isAbsent else { return section }
        guard case .mapping(let mapping) = entry.node else {
            fault(entry, "expected a mapping with \(keys.joined(separator: ", ")), found \(entry.node.kind)")
            return section
        }
        for (key, node) in mapping {
            let prefix = section.path.isEmpty ? "" : section.path + "."
            guard case .scalar(let scalar) = key else {
                fault(Entry(path: section.path, node: key), "expected a name as key, found \(key.kind)")
                continue
            }
            if scalar.string.unicodeScalars.first == YAMLDocument.duplicateMark {
                let path = prefix + ConfigurationFault.name(YAMLDocument.unmarked(scalar.string))
                fault(Entry(path: path, node: key), "expected once, found again below")
            } else if let known = keys.first(where: { $0.isSame(as: scalar.string) }) {
                section.nodes[known] = node
            } else {
                let path = prefix + ConfigurationFault.name(scalar.string)
                fault(Entry(path: path, node: key), "unknown key; expected one of \(keys.joined(separator: ", "))")
            }
        }
        return section
    }

    /// `nil` where nothing is given, and where a fault was found.
    mutating func value<Value>(_ entry: Entry?, _ rule: ValueRule<Value>) -> Value? {
        guard let entry, !entry.node.isAbsent else { return nil }
        guard case .scalar(let scalar) = entry.node else {
            fault(entry, "expected \(rule.expectation), found \(entry.node.kind)")
            return nil
        }
        if scalar.string.isEmpty, rule.isEmptyAbsent { return nil }
        if rule.isNumber, scalar.style != .plain {
            fault(entry, "expected \(rule.expectation), found the text \(ConfigurationFault.quoted(scalar.string))")
        } else if let value = rule.parse(scalar.string) {
            return value
        } else {
            fault(entry, rule.refusal(of: scalar.string))
        }
        return nil
    }

    mutating func fault(_ entry: Entry?, _ message: String) {
        guard let entry else { return }
        faults.append(ConfigurationFault(location: entry.path, line: entry.node.mark?.line, message: message))
    }
}

extension Node {
    /// `null` in one of its spellings, or nothing at all: as if the key were not there.
    var isAbsent: Bool {
        guard case .scalar(let scalar) = self, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    fileprivate var kind: String {
        switch self {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "a single value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

extension ConfigurationFault {
    /// A key as it stands in a path: short, and on one line.
    static func name(_ key: String) -> String { String(quoted(key).dropFirst().dropLast()) }
}
