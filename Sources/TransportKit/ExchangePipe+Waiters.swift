extension ExchangePipe {
    enum Waiter { case opener, receiver, sender }

    /// Tasks that wait, at most one of each kind, and the timer of the receiver's deadline. What is taken out is resumed by
    /// the caller, without the lock.
    struct Waiters {
        /// The one timer, armed for the earliest deadline there was; a later deadline is looked up when it fires. So a
        /// deadline for each message costs a timer in a while.
        private struct Alarm {
            var task: Task<Void, Never>
            var instant: ContinuousClock.Instant
        }

        /// Tasks that go on, and a timer that nobody waits for any more.
        struct Released {
            fileprivate var continuations: [CheckedContinuation<Void, Never>]
            fileprivate var timer: Task<Void, Never>?

            /// Without the lock.
            func resume() {
                timer?.cancel()
                for continuation in continuations { continuation.resume() }
            }
        }

        private var opener: CheckedContinuation<Void, Never>?
        private var receiver: CheckedContinuation<Void, Never>?
        private var sender: CheckedContinuation<Void, Never>?
        /// Of the last receiver that has one; one that is out of date costs a look.
        private var deadline: ContinuousClock.Instant?
        private var alarm: Alarm?

        /// `ring` makes the task of a timer that has to be armed.
        mutating func add(
            _ continuation: CheckedContinuation<Void, Never>, as waiter: Waiter,
            until deadline: ContinuousClock.Instant?, ring: (ContinuousClock.Instant) -> Task<Void, Never>
        ) {
            precondition(self[waiter] == nil, "one task sends and one receives in an exchange")
            self[waiter] = continuation
            guard let deadline else { return }
            self.deadline = deadline
            arm(deadline, ring)
        }

        mutating func take(_ waiter: Waiter) -> CheckedContinuation<Void, Never>? {
            defer { self[waiter] = nil }
            return self[waiter]
        }

        mutating func takeAll() -> Released {
            defer { self = Waiters() }
            return Released(continuations: [opener, receiver, sender].compactMap { $0 }, timer: alarm?.task)
        }

        /// The timer armed for `instant` has fired: the receiver, if it is late.
        mutating func takeLate(
            _ instant: ContinuousClock.Instant, ring: (ContinuousClock.Instant) -> Task<Void, Never>
        ) -> CheckedContinuation<Void, Never>? {
            guard alarm?.instant == instant else { return nil }
            alarm = nil
            guard receiver != nil, let deadline else { return nil }
            if deadline <= .now { return take(.receiver) }
            arm(deadline, ring)
            return nil
        }

        private mutating func arm(
            _ deadline: ContinuousClock.Instant, _ ring: (ContinuousClock.Instant) -> Task<Void, Never>
        ) {
            if let alarm, alarm.instant <= deadline { return }
            alarm?.task.cancel()
            alarm = Alarm(task: ring(deadline), instant: deadline)
        }

        private subscript(waiter: Waiter) -> CheckedContinuation<Void, Never>? {
            get {
                switch waiter {
                case .opener: opener
                case .receiver: receiver
                case .sender: sender
                }
            }
            set {
                switch waiter {
                case .opener: opener = newValue
                case .receiver: receiver = newValue
                case .sender: sender = newValue
                }
            }
        }
    }
}
