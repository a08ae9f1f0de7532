/// What all lists together may take of the node.
struct ListRoom: Sendable {
    /// Reading more at once would only fill the memory: the store has fewer readers.
    static let maximumReading = 16
    static let maximumWaiting = 4096

    let unsent: UnsentBytes
    let turns = Turns(maximumReading, maximumWaiting: maximumWaiting)
}
