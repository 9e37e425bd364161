import Divert

@main
struct Pings {
  static func main() async throws {
    var socket = try DivertSocket(port: 2000)
    let writer = socket.writer
    while true {
      var batch = try await socket.read()
      while var packet = batch.next() {
        print(packet.direction, PacketSummary.summary(of: packet.bytes))
        if packet.bytes.byteCount > 1000 { packet.drop() }
      }
      writer.reinject(batch)
    }
  }
}
