// The only thing this module takes from Foundation: a lock that ThreadSanitizer understands (it reports false races with
// `Synchronization.Mutex` on Linux).
internal import class Foundation.NSLock

/// A bounded queue from any thread to one waiting task, handed over in batches.
///
/// When `maxBytes` or `maxCount` is exceeded the oldest elements are dropped and counted: fresh news is worth more than
/// stale, and what is lost is repaired by anti-entropy.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
public final class BatchQueue<Element: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private let maxBytes: Int
    private let maxCount: Int
    private let size: @Sendable (Element) -> Int
    private var elements: [Element] = []
    private var firstIndex = 0
    private var bytes = 0
    private var dropped = 0
    private var isFinished = false
    private var waiter: CheckedContinuation<Void, Never>?

    /// `size` gives an element's bytes for the bound; an element larger than `maxBytes` is dropped at once.
    public init(maxBytes: Int = .max, maxCount: Int, size: @escaping @Sendable (Element) -> Int = { _ in 1 }) {
        precondition(maxBytes > 0 && maxCount > 0, "a queue needs room: \(maxBytes) bytes, \(maxCount) elements")
        self.maxBytes = maxBytes
        self.maxCount = maxCount
        self.size = size
    }

    /// Adds `batch` at the end; returns how many elements were dropped to keep the bounds. After `finish` all are.
    @discardableResult
    public func append(_ batch: some Collection<Element>) -> Int {
        lock.lock()
        if isFinished {
            lock.unlock()
            return batch.count
        }
        let before = dropped
        for element in batch {
            let elementBytes = size(element)
            guard elementBytes <= maxBytes else {
                dropped += 1
                continue
            }
            elements.append(element)
            bytes += elementBytes
            while bytes > maxBytes || elements.count - firstIndex > maxCount { dropOldest() }
        }
        let lost = dropped - before
        let waiter = elements.count > firstIndex ? takeWaiter() : nil
        lock.unlock()
        waiter?.resume()
        return lost
    }

    /// Waits for elements and takes those that are there, at most `limit`. `nil` after `finish` once all are taken, and
    /// when the calling task is cancelled. One task at a time.
    public func next(limit: Int = .max) async -> [Element]? {
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
    public func takeNow(limit: Int = .max) -> [Element] {
        if case .batch(let batch) = take(limit) { return batch }
        return []
    }

    /// Nothing more will be added. What is there can still be taken.
    public func finish() {
        lock.lock()
        isFinished = true
        let waiter = takeWaiter()
        lock.unlock()
        waiter?.resume()
    }

    /// What is in the queue now: elements, and their size.
    public var waiting: (count: Int, bytes: Int) { lock.withLock { (elements.count - firstIndex, bytes) } }

    /// Elements dropped since the start.
    public var droppedCount: Int { lock.withLock { dropped } }

    private enum Taken { case batch([Element]), empty, finished }

    private func take(_ limit: Int) -> Taken {
        lock.withLock {
            let available = elements.count - firstIndex
            if available == 0 { return isFinished ? .finished : .empty }
            if firstIndex == 0 && available <= limit {
                defer { elements = []; bytes = 0 }
                return .batch(elements)
            }
            let batch = Array(elements[firstIndex..<(firstIndex + min(limit, available))])
            firstIndex += batch.count
            for element in batch { bytes -= size(element) }
            compact()
            return .batch(batch)
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.lock()
                let isNeeded = elements.count == firstIndex && !isFinished && !Task.isCancelled
                if isNeeded {
                    precondition(waiter == nil, "a BatchQueue has one consumer")
                    waiter = continuation
                }
                lock.unlock()
                if !isNeeded { continuation.resume() }
            }
        } onCancel: {
            lock.withLock { takeWaiter() }?.resume()
        }
    }

    /// Called with the lock held.
    private func takeWaiter() -> CheckedContinuation<Void, Never>? {
        defer { waiter = nil }
        return waiter
    }

    /// Called with the lock held.
    private func dropOldest() {
        bytes -= size(elements[firstIndex])
        firstIndex += 1
        dropped += 1
        compact()
    }

    /// Gives the room of taken elements back once they are the larger part. Called with the lock held.
    private func compact() {
        if firstIndex == elements.count {
            elements.removeAll(keepingCapacity: true)
            firstIndex = 0
        } else if firstIndex > 1024 && firstIndex * 2 > elements.count {
            elements.removeFirst(firstIndex)
            firstIndex = 0
        }
    }
}
