import Transport
import TransportKit

/// What the parts of the owner thread share.
struct SharedParts {
    let reactor: ZMQReactor
    let local: LocalEnd
    let peers = PeerTable()
    let traffic = Traffic()

    var configuration: ZMQTransportConfiguration { reactor.configuration }
    var events: EventSink { reactor.events }
}
