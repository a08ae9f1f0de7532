internal import Transport
public import TransportKit

extension TransportPlugin {
    private static let publishAddress = TransportOption(
        "publish_addr", .address,
        help: "Address that zmq publishes on. (default: the host of -bind-addr, any free port)")

    /// ZeroMQ.
    public static let zmq = TransportPlugin(kind: "zmq", options: [publishAddress]) { settings throws(TransportError) in
        var configuration = ZMQTransportConfiguration()
        configuration.bindAddress = settings.bindAddress
        configuration.publishAddress = settings.addresses[publishAddress.name]
        configuration.key = settings.key
        return try ZMQTransport.bind(configuration)
    }
}
