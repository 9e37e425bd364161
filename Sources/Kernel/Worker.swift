import Glibc
import Synchronization

/// Runs work in order on a thread of its own, which exists while there is work.
///
/// For what may block for long: it shares its thread with nothing else, unlike a dispatch queue, whose pool of threads
/// has an end.
package final class Worker: Sendable {
  private struct State {
    var work: [@Sendable () -> Void] = []
    var isRunning = false
  }
  private let state = Mutex(State())

  package init() {}

  /// - Parameter work: Runs after all earlier work; on the calling thread, if the system has no thread left.
  package func perform(_ work: @escaping @Sendable () -> Void) {
    let isRunning = state.withLock { state in
      state.work.append(work)
      defer { state.isRunning = true }
      return state.isRunning
    }
    if !isRunning, !start() { run() }
  }

  private func start() -> Bool {
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let worker = unsafe Unmanaged.passRetained(self)
    let code = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<Worker>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, worker.toOpaque())
    if code != 0 { unsafe worker.release() }
    return code == 0
  }

  private func run() {
    while true {
      let work = state.withLock { state -> (@Sendable () -> Void)? in
        guard !state.work.isEmpty else {
          state.isRunning = false
          return nil
        }
        return state.work.removeFirst()
      }
      guard let work else { return }
      work()
    }
  }
}
