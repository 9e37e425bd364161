internal import CSystem
import Glibc
import Synchronization

/// Wakes tasks that wait for descriptors: one thread with one epoll for the whole process, started by the
/// first wait. Waiting does not hold a thread of the concurrency pool, and allocates nothing of its own.
final class Poller: Sendable {
  /// The process's poller, or why there can be none.
  static let shared: Result<Poller, SystemError> = Result { () throws(SystemError) in try Poller() }

  /// Never closed: it lives as long as the process.
  private let epoll: CInt
  private let waiting = Mutex<[UInt64: Readiness]>([:])
  private let lastIdentifier = Atomic<UInt64>(0)

  private init() throws(SystemError) {
    epoll = try retrying("start waiting for packets") { epoll_create1(CInt(EPOLL_CLOEXEC)) }
    var thread = pthread_t()
    let poller = unsafe Unmanaged.passRetained(self)
    let code = unsafe pthread_create(&thread, nil, { unsafe Poller.start($0) }, poller.toOpaque())
    guard code == 0 else {
      unsafe poller.release()
      throw SystemError("start a thread that waits for packets", code: code)
    }
    pthread_detach(thread)
  }

  private static func start(_ poller: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let poller = unsafe poller else { return nil }
    unsafe Unmanaged<Poller>.fromOpaque(poller).takeRetainedValue().run()
  }

  private func run() -> Never {
    while true { wakeSome() }
  }

  private func wakeSome() {
    unsafe withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 64) { events in
      // EINTR is the only way for this to fail; the next call makes up for it.
      let count = unsafe epoll_wait(epoll, events.baseAddress, CInt(events.count), -1)
      for event in 0..<max(0, Int(count)) {
        let identifier = unsafe events[event].data.u64
        waiting.withLock { $0[identifier] }?.wake()
      }
    }
  }

  func newIdentifier() -> UInt64 { lastIdentifier.wrappingAdd(1, ordering: .relaxed).newValue }

  func add(_ readiness: Readiness) throws(SystemError) {
    try add(readiness.descriptor, for: readiness)
    waiting.withLock { $0[readiness.identifier] = readiness }
  }

  /// Lets one more descriptor wake who waits, once it is armed.
  func add(_ descriptor: CInt, for readiness: Readiness) throws(SystemError) {
    try control(EPOLL_CTL_ADD, descriptor, readiness.identifier, events: 0)
  }

  /// Asks for one event. If the descriptor is readable by now, the event comes at once.
  func arm(_ descriptor: CInt, for readiness: Readiness) throws(SystemError) {
    try control(
      EPOLL_CTL_MOD, descriptor, readiness.identifier, events: EPOLLIN.rawValue | EPOLLONESHOT.rawValue)
  }

  func remove(_ readiness: Readiness) {
    waiting.withLock { $0[readiness.identifier] = nil }
    try? control(EPOLL_CTL_DEL, readiness.descriptor, readiness.identifier, events: 0)
  }

  private func control(
    _ operation: CInt, _ descriptor: CInt, _ identifier: UInt64, events: UInt32
  ) throws(SystemError) {
    var event = unsafe epoll_event(events: events, data: epoll_data_t(u64: identifier))
    _ = try retrying("wait for packets") { unsafe epoll_ctl(epoll, operation, descriptor, &event) }
  }
}

/// A descriptor that a task can wait for, one task at a time.
package final class Readiness: Sendable {
  let identifier: UInt64
  let descriptor: CInt
  private let poller: Poller

  @safe private struct State {
    var continuation: UnsafeContinuation<Void, Never>?
    var isCancelled = false
  }
  private let state = Mutex(State())
  /// Made by the first wait that has an end, and wakes by the same epoll as packets do.
  private let timer = Mutex<Timer?>(nil)

  /// - Parameter descriptor: Must stay open until ``stop()``.
  package init(of descriptor: CInt) throws(SystemError) {
    let poller = try Poller.shared.get()
    (self.poller, self.descriptor, identifier) = (poller, descriptor, poller.newIdentifier())
    try poller.add(self)
  }

  /// Ends the watch; to be called once, before the descriptor is closed.
  package func stop() { poller.remove(self) }

  /// Suspends until the descriptor can be read, or the time is over; nil waits for ever. It may turn out that neither
  /// is so: read without blocking, look at the clock, and wait again.
  ///
  /// - Throws: `ECANCELED` when the task is cancelled.
  package func wait(until deadline: ContinuousClock.Instant? = nil) async throws(SystemError) {
    state.withLock { $0.isCancelled = false }
    let failure = Mutex<SystemError?>(nil)
    await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation { continuation in
        let goesOn = state.withLock { state in
          if !state.isCancelled { unsafe state.continuation = continuation }
          return !state.isCancelled
        }
        guard goesOn else { return unsafe continuation.resume() }
        do throws(SystemError) {
          try poller.arm(descriptor, for: self)
          if let deadline { try startTimer(deadline) }
        } catch {
          failure.withLock { $0 = error }
          wake()
        }
      }
    } onCancel: {
      state.withLock { $0.isCancelled = true }
      wake()
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
    if Task.isCancelled { throw SystemError("wait for packets", code: ECANCELED) }
  }

  private func startTimer(_ deadline: ContinuousClock.Instant) throws(SystemError) {
    try timer.withLock { timer throws(SystemError) in
      if timer == nil {
        let new = try Timer()
        try poller.add(new.descriptor.number, for: self)
        timer = consume new
      }
      guard let number = try timer?.start(deadline) else { return }
      try poller.arm(number, for: self)
    }
  }

  /// Resumes whoever waits. Nobody may: an event that a cancelled wait asked for comes late.
  fileprivate func wake() {
    let continuation = unsafe state.withLock { state in
      let continuation = unsafe state.continuation
      unsafe state.continuation = nil
      return unsafe continuation
    }
    unsafe continuation?.resume()
  }
}
