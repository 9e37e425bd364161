import Divert
import Foundation
import Synchronization
import Testing

/// A program on a divert port, in a thread of its own: changes packets where they lie, and writes them back.
final class InPlaceProgram: Sendable {
  typealias Change = @Sendable (inout DivertedPacket) -> Void

  private let socket: Mutex<DivertSocket>
  private let writer: DivertWriter
  private let change: Change
  private let isRunning = Atomic(true)
  private let ended = DispatchSemaphore(value: 0)

  init(_ socket: consuming DivertSocket, _ change: @escaping Change) {
    writer = socket.writer
    self.change = change
    self.socket = Mutex(socket)
  }

  func start() {
    Thread {
      // When divertd is gone, so is the test.
      while self.isRunning.load(ordering: .relaxed), (try? self.step()) != nil {}
      self.ended.signal()
    }.start()
  }

  private func step() throws {
    try socket.withLock { socket in
      var batch = try socket.read(timeout: .milliseconds(20))
      while var packet = batch.next() { change(&packet) }
      writer.reinject(batch)
    }
  }

  /// Ends the thread.
  func stop() -> DivertStatistics {
    isRunning.store(false, ordering: .relaxed)
    ended.wait()
    return socket.withLock { $0.statistics }
  }
}
