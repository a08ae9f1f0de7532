internal import Membership
internal import Transport

/// What happens when: at equal instants first in, first out. Events stay where they are while their places are sorted: moving
/// them took a fifth of a run.
struct EventQueue<Event> {
    private var places = TimerQueue<Int>()
    private var events: [Event?] = []
    private var freePlaces: [Int] = []

    /// When the first event is due.
    var earliest: EngineInstant? { places.earliest }

    mutating func add(_ event: Event, at instant: EngineInstant) {
        if let free = freePlaces.popLast() {
            events[free] = event
            places.add(free, at: instant)
        } else {
            places.add(events.count, at: instant)
            events.append(event)
        }
    }

    /// The first event that is due at `now`.
    mutating func takeDue(at now: EngineInstant) -> Event? {
        guard let place = places.takeDue(at: now) else { return nil }
        freePlaces.append(place)
        return events[place].take()
    }
}
