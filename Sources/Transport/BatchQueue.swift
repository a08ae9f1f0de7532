// The lock is the only thing this module takes from Foundation: ThreadSanitizer understands it (it reports false races with
// `Synchronization.Mutex` on Linux).
public import DequeModule
internal import class Foundation.NSLock

/// The lock behind a type of this module, so that inlinable code needs no import of Foundation.
@usableFromInline final class QueueLock: Sendable {
    private let lock = NSLock()

    @usableFromInline init() {}
    @usableFromInline func take() { lock.lock() }
    @usableFromInline func release() { lock.unlock() }
}

/// A bounded queue from any thread to one waiting task, handed over in batches.
///
/// When `maxBytes` or `maxCount` is exceeded the oldest elements are dropped and counted: fresh news is worth more than
/// stale, and what is lost is repaired by anti-entropy.
///
/// Inlinable throughout: other modules get one made for their kind of element only so.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
public final class BatchQueue<Element: Sendable>: @unchecked Sendable {
    @usableFromInline let lock = QueueLock()
    @usableFromInline let maxBytes: Int
    @usableFromInline let maxCount: Int
    @usableFromInline let size: @Sendable (Element) -> Int
    @usableFromInline var elements = Deque<Element>()
    @usableFromInline var bytes = 0
    @usableFromInline var dropped = 0
    @usableFromInline var isFinished = false
    @usableFromInline var waiter: CheckedContinuation<Void, Never>?

    /// `size` gives an element's bytes for the bound; an element larger than `maxBytes` is dropped at once.
    @inlinable public init(maxBytes: Int = .max, maxCount: Int, size: @escaping @Sendable (Element) -> Int = { _ in 1 })
    {
        precondition(maxBytes > 0 && maxCount > 0, "a queue needs room: \(maxBytes) bytes, \(maxCount) elements")
        self.maxBytes = maxBytes
        self.maxCount = maxCount
        self.size = size
    }

    /// Adds `batch` at the end; gives the elements that were dropped to keep the bounds, the oldest first. After `finish`
    /// all of `batch` are.
    ///
    /// The dropped elements are the caller's, so that none ends under a lock: the last reference to an exchange closes it,
    /// which takes a lock of its plugin. So a plugin appends exchanges, and lets go of what it is given back, while it
    /// holds no lock of its own. The consumer is resumed after the queue's lock is released.
    @discardableResult
    @inlinable public func append(_ batch: some Collection<Element>) -> [Element] {
        lock.take()
        if isFinished {
            lock.release()
            return Array(batch)
        }
        var lost: [Element] = []
        for element in batch {
            let elementBytes = size(element)
            guard elementBytes <= maxBytes else {
                lost.append(element)
                continue
            }
            elements.append(element)
            bytes += elementBytes
            while bytes > maxBytes || elements.count > maxCount { lost.append(takeOldest()) }
        }
        dropped += lost.count
        let waiter = !elements.isEmpty ? takeWaiter() : nil
        lock.release()
        waiter?.resume()
        return lost
    }

    /// Waits for elements and takes those that are there, at most `limit`. `nil` after `finish` once all are taken, and
    /// when the calling task is cancelled. One task at a time.
    @inlinable public func next(limit: Int = .max) async -> [Element]? {
        while !Task.isCancelled {
            switch take(limit) {
            case .batch(let batch): return batch
            case .finished: return nil
            case .empty: await wait()
            }
        }
        return nil
    }

    /// What is there now, at most `limit`, without waiting.
    @inlinable public func takeNow(limit: Int = .max) -> [Element] {
        if case .batch(let batch) = take(limit) { return batch }
        return []
    }

    /// Nothing more will be added. What is there can still be taken.
    @inlinable public func finish() {
        lock.take()
        isFinished = true
        let waiter = takeWaiter()
        lock.release()
        waiter?.resume()
    }

    /// What is in the queue now: elements, and their size.
    public var waiting: (count: Int, bytes: Int) {
        lock.take()
        defer { lock.release() }
        return (elements.count, bytes)
    }

    /// Elements dropped since the start.
    public var droppedCount: Int {
        lock.take()
        defer { lock.release() }
        return dropped
    }

    @usableFromInline enum Taken { case batch([Element]), empty, finished }

    @inlinable func take(_ limit: Int) -> Taken {
        lock.take()
        if elements.isEmpty {
            defer { lock.release() }
            return isFinished ? .finished : .empty
        }
        if elements.count <= limit {
            var all = Deque<Element>()
            swap(&all, &elements)
            bytes = 0
            lock.release()
            return .batch(Array(all))
        }
        let batch = Array(elements.prefix(limit))
        elements.removeFirst(batch.count)
        for element in batch { bytes -= size(element) }
        lock.release()
        return .batch(batch)
    }

    @inlinable func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.take()
                let isNeeded = elements.isEmpty && !isFinished && !Task.isCancelled
                if isNeeded {
                    precondition(waiter == nil, "a BatchQueue has one consumer")
                    waiter = continuation
                }
                lock.release()
                if !isNeeded { continuation.resume() }
            }
        } onCancel: {
            lock.take()
            let waiter = takeWaiter()
            lock.release()
            waiter?.resume()
        }
    }

    /// Called with the lock held.
    @inlinable func takeWaiter() -> CheckedContinuation<Void, Never>? {
        defer { waiter = nil }
        return waiter
    }

    /// Called with the lock held.
    @inlinable func takeOldest() -> Element {
        let element = elements.removeFirst()
        bytes -= size(element)
        return element
    }
}
