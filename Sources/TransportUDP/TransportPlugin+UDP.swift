internal import Transport
public import TransportKit

extension TransportPlugin {
    /// Raw UDP gossip.
    public static let udp = TransportPlugin(kind: "udp", olderSection: "serf") { settings throws(TransportError) in
        var configuration = UDPTransportConfiguration()
        configuration.bindAddress = settings.bindAddress
        configuration.key = settings.key
        configuration.membershipStreamEnd = settings.membershipStreamEnd
        return try UDPTransport.bind(configuration)
    }
}
