internal import Membership
internal import Transport
internal import TransportKit

extension Settings.Cluster {
    /// Binds the transport, so that a port in use is known before anything else happens.
    func bindTransport() async throws -> any Transport {
        var settings = TransportSettings(
            bindAddress: try await Self.resolve(bindAddress, key: "bind_addr"), key: encryptKey,
            membershipStreamEnd: MemberlistCodec.streamEnd)
        for (name, value) in transportValues {
            switch value {
            case .address(let address): settings.addresses[name] = try await Self.resolve(address, key: name)
            case .text(let text): settings.texts[name] = text
            }
        }
        do throws(TransportError) {
            return try transport.make(settings)
        } catch {
            throw StartError.transport(error)
        }
    }

    private static func resolve(_ address: HostAndPort, key: String) async throws -> PeerAddress {
        guard let resolved = await Resolver.resolve(host: address.host, port: address.port).first else {
            throw StartError.unknownHost(address.host, key: "node.transport.\(key)")
        }
        return resolved
    }
}
