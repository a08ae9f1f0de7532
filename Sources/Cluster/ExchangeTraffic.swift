/// Bytes of messages on the exchanges of replication since the start, without what transports add.
package struct ExchangeTraffic: Hashable, Sendable {
    package var sentBytes = 0
    package var receivedBytes = 0

    package init(sentBytes: Int = 0, receivedBytes: Int = 0) {
        self.sentBytes = sentBytes
        self.receivedBytes = receivedBytes
    }
}
