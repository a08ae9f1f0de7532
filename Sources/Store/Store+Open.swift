internal import Runtime

extension Store {
    static let readerCount = 2

    /// Opens, creates or takes over the database, reads all of it, and starts the threads.
    ///
    /// Blocks for about a second per million rows: call it from a thread of your own, not from the cooperative pool.
    /// When it throws, the todos are as they were: see `OpenedStore.init`.
    package static func open(_ configuration: StoreConfiguration) throws(StoreError) -> Store {
        let opened = try OpenedStore(configuration, readerCount: readerCount)
        let (writer, pool): (Writer, ReaderPool)
        do throws(SystemThread.Refused) {
            pool = try ReaderPool(opened.readers.map { Handover($0) }, maxJobs: configuration.maxWaitingRequests)
            do throws(SystemThread.Refused) {
                writer = try Writer(Handover(opened.core), queue: opened.queue, lock: opened.lock)
            } catch {
                pool.beginClose()
                throw error
            }
        } catch {
            throw .cannotOpen(path: opened.path, reason: error.description)
        }
        return Store(
            path: opened.path, files: configuration.files, nodeID: opened.nodeID, streamStart: opened.streamStart,
            committed: opened.committed, rows: opened.rows, writer: writer, readers: pool)
    }
}
