/// What is on its way over one link and has not been reported as arrived, both ways, in cost: bytes, and
/// `LinkMessage.frameCost` for each frame.
struct LinkWindow {
    /// What may be on its way in frames of messages and of data.
    static let windowBytes = 1024 * 1024
    /// How much has to arrive for a report.
    static let reportBytes = windowBytes / 4

    private var onTheWay = 0
    private var unreported = 0

    /// Whether a frame of so many bytes may be on its way besides those that are.
    func hasRoom(for bytes: Int) -> Bool { onTheWay + bytes + LinkMessage.frameCost <= Self.windowBytes }

    /// A frame goes out.
    mutating func noteSent(cost: Int) { onTheWay += cost }

    /// The other side reports what has arrived.
    mutating func noteReport(_ bytes: UInt32) { onTheWay = max(0, onTheWay - Int(bytes)) }

    /// A frame has arrived with so many bytes behind its channel or flags. What is to be reported, once that is worth it.
    mutating func noteArrived(_ bytes: Int) -> UInt32? {
        unreported += bytes + LinkMessage.frameCost
        guard unreported >= Self.reportBytes else { return nil }
        defer { unreported = 0 }
        return UInt32(clamping: unreported)
    }
}
