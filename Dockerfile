# The image of every role, and of both Jobs: docs/adr/adr-015-image-and-manifests.md
FROM node:24.21.0-trixie-slim AS node
WORKDIR /app
ENV NODE_ENV=production

FROM node AS build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY src ./src
RUN node src/service/bundle-workflows.ts > workflow-bundle.js
# What is optional is the bundler's compiler and a developer's: the embedded PostgreSQL, and a Node.
RUN npm prune --omit=dev --omit=optional
RUN find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 ! -name '*-linux-gnu' -exec rm -r {} +
# Readable to every user, whatever the umask of the checkout was.
COPY migrations ./migrations
RUN chmod -R u=rwX,go=rX .

FROM node
COPY --from=build /app/package.json ./
COPY --from=build /app/migrations ./migrations
COPY --from=build /app/src ./src
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/workflow-bundle.js ./
# By number: Kubernetes cannot tell whether a name is root's.
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/app/src/main.ts"]
CMD ["serve"]
