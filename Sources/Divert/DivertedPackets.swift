import Glibc
public import Kernel

extension DivertSocket {
  /// The packets as a sequence of copies: ease before speed.
  ///
  /// ```swift
  /// let socket = try DivertSocket(port: 2000)
  /// let writer = socket.writer
  /// for try await packet in socket.packets() { try writer.reinject(packet) }
  /// ```
  ///
  /// The socket is closed when the sequence and its iterators are gone. Several iterators share the packets.
  /// They end when the port is released (``DivertSocket/binding``, to be taken before).
  public consuming func packets() -> DivertedPackets { DivertedPackets(self) }
}

/// The packets of a divert socket, copied one by one.
public struct DivertedPackets: AsyncSequence, AsyncIteratorProtocol {
  /// An iterator is copied at will, a socket is not.
  private final class Source {
    var socket: DivertSocket?
    var waiting: [Packet] = []

    init(_ socket: consuming DivertSocket) { self.socket = consume socket }

    func fill() async throws(SystemError) {
      guard var socket = socket.take() else {
        throw SystemError("read packets", code: EBUSY, advice: "let one task at a time iterate")
      }
      do throws(SystemError) {
        try await copyBatch(from: &socket)
        self.socket = consume socket
      } catch {
        self.socket = consume socket
        throw error
      }
    }

    private func copyBatch(from socket: inout DivertSocket) async throws(SystemError) {
      var batch = try await socket.read()
      while let packet = batch.next() { waiting.append(packet.copy()) }
      waiting.reverse()
    }
  }

  private let source: Source

  init(_ socket: consuming DivertSocket) { source = Source(socket) }

  public func makeAsyncIterator() -> DivertedPackets { self }

  /// The next packet; nil when the port was released and all that came before has been told.
  public func next() async throws(SystemError) -> Packet? {
    try await next(isolation: #isolation)
  }

  public func next(isolation: isolated (any Actor)?) async throws(SystemError) -> Packet? {
    if source.waiting.isEmpty { try await source.fill() }
    return source.waiting.popLast()
  }
}
