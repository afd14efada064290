// Asks a served model about a photograph: serve_client 8765 part.png
// c++ -std=c++17 -o serve_client serve_client.cpp
// The exit status is 0 for OK, 1 for not OK, 2 where there is no verdict.
// --8<-- [start:client]
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

int main(int count, char** given) {
    if (count != 3) return std::cerr << "usage: serve_client PORT PHOTOGRAPH\n", 2;
    std::ifstream file(given[2], std::ios::binary);
    std::string body{std::istreambuf_iterator<char>(file), {}};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(given[1])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return std::cerr << "no server on port " << given[1] << "\n", 2;
    std::string request = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " +
                          std::to_string(body.size()) + "\r\n\r\n" + body;
    for (std::size_t sent = 0; sent < request.size();) {
        ssize_t bytes = send(connection, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
        if (bytes <= 0) break;  // the server refuses; its answer says why
        sent += static_cast<std::size_t>(bytes);
    }
    std::string answer;
    char part[4096];
    for (ssize_t bytes; (bytes = recv(connection, part, sizeof part, 0)) > 0;)
        answer.append(part, static_cast<std::size_t>(bytes));
    close(connection);
    std::size_t head = answer.find("\r\n\r\n");
    if (head == std::string::npos) return std::cerr << "the server gave no answer\n", 2;
    std::cout << answer.substr(head + 4);
    if (answer.find("\"verdict\": \"OK\"") != std::string::npos) return 0;
    return answer.find("\"verdict\": \"not OK\"") != std::string::npos ? 1 : 2;
}
// --8<-- [end:client]
